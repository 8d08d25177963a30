#include "trainer/telemetry/scrape_targets.h"

#include <fmt/format.h>

#include <fstream>
#include <iterator>
#include <nlohmann/json.hpp>
#include <stdexcept>
#include <system_error>

#include "trainer/telemetry/machine_name.h"

namespace entune {
namespace fs = std::filesystem;

std::string reachable_address(const std::string& bind, int port) {
  const std::string host = bind == "0.0.0.0" || bind == "::" ? machine_name() : bind;
  return fmt::format(fmt::runtime(host.find(':') == std::string::npos ? "{}:{}" : "[{}]:{}"), host, port);
}

std::string scrape_targets_json(const std::vector<ScrapeTarget>& targets) {
  nlohmann::ordered_json list = nlohmann::ordered_json::array();
  for (const ScrapeTarget& target : targets) list.push_back({{"targets", {target.address}}, {"labels", target.labels}});
  return list.dump(1) + "\n";
}

void write_targets_file(const fs::path& file, const std::string& json) {
  fs::path partial = file;
  partial += ".partial";
  std::ofstream out(partial, std::ios::trunc);
  out << json;
  out.close();
  std::error_code error;
  // Before it has its name: Prometheus looks when the name appears, and not again when the rights change.
  fs::permissions(partial, fs::perms::group_read | fs::perms::others_read, fs::perm_options::add, error);
  if (out && !error) fs::rename(partial, file, error);
  if (!out || error)
    throw std::runtime_error(fmt::format("{}: cannot be written; is its folder there?", file.string()));
}

void remove_targets_file(const fs::path& file, const std::string& json) {
  std::ifstream in(file);
  const std::string found{std::istreambuf_iterator<char>(in), {}};
  std::error_code error;
  if (found == json) fs::remove(file, error);
}

}  // namespace entune
