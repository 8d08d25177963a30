#pragma once

#include <filesystem>
#include <map>
#include <string>
#include <vector>

namespace entune {

/// One exporter, and what Prometheus is to add to all that it says.
struct ScrapeTarget {
  std::string address;  ///< host:port
  std::map<std::string, std::string> labels;
};

/// The address under which an exporter on this machine, listening on `bind`, is found from where it can be: its own
/// for an address or a name, this machine's name where it listens on all addresses. IPv6 addresses stand in [].
std::string reachable_address(const std::string& bind, int port);

/// The file that Prometheus' file_sd_configs reads: [{"targets": ["host:port"], "labels": {...}}, ...].
std::string scrape_targets_json(const std::vector<ScrapeTarget>& targets);

/// Writes that file so that it appears whole, and for all users to read, whatever the umask: Prometheus is another one.
/// Its folder must be there. Throws std::runtime_error.
void write_targets_file(const std::filesystem::path& file, const std::string& json);
/// Removes the file if it still is what was written.
void remove_targets_file(const std::filesystem::path& file, const std::string& json);

}  // namespace entune
