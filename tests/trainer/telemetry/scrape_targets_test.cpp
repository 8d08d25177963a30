#include "trainer/telemetry/scrape_targets.h"

#include <gtest/gtest.h>
#include <sys/stat.h>

#include <nlohmann/json.hpp>
#include <stdexcept>

#include "tests/support/temporary_directory.h"

namespace entune::test {
namespace {

namespace fs = std::filesystem;

TEST(ScrapeTargets, AnAddressIsOneThatCanBeReached) {
  EXPECT_EQ(reachable_address("127.0.0.1", 9400), "127.0.0.1:9400");
  EXPECT_EQ(reachable_address("node7", 1), "node7:1");
  EXPECT_EQ(reachable_address("::1", 9400), "[::1]:9400");
  for (const std::string all : {"0.0.0.0", "::"}) {
    const std::string address = reachable_address(all, 80);
    EXPECT_EQ(address.find(all), std::string::npos) << address;
    EXPECT_TRUE(address.ends_with(":80")) << address;
    EXPECT_GT(address.size(), 3u);
  }
}

TEST(ScrapeTargets, TheFileIsWhatPrometheusReads) {
  const std::string text = scrape_targets_json({{"a:1", {{"rank", "0"}, {"run", "x"}}}, {"b:2", {{"rank", "1"}}}});
  EXPECT_EQ(nlohmann::json::parse(text), nlohmann::json::parse(R"([
    {"targets": ["a:1"], "labels": {"rank": "0", "run": "x"}},
    {"targets": ["b:2"], "labels": {"rank": "1"}}])"));
  EXPECT_EQ(scrape_targets_json({}), "[]\n");
}

TEST(ScrapeTargets, TheFileAppearsWholeAndForAllToRead) {
  const TemporaryDirectory folder;
  const fs::path file = folder / "run.json";
  const mode_t before = umask(077);
  write_targets_file(file, "[]\n");
  umask(before);
  EXPECT_EQ(read_file(file), "[]\n");
  EXPECT_EQ(fs::status(file).permissions() & fs::perms(0777), fs::perms(0644));
  write_targets_file(file, "[1]\n");
  EXPECT_EQ(read_file(file), "[1]\n");
  EXPECT_EQ(std::distance(fs::directory_iterator(folder.path()), {}), 1) << "nothing else is left";

  remove_targets_file(file, "[]\n");
  EXPECT_TRUE(fs::exists(file)) << "another run's by now";
  remove_targets_file(file, "[1]\n");
  EXPECT_FALSE(fs::exists(file));
  EXPECT_THROW(write_targets_file(folder / "no/such/folder.json", "[]\n"), std::runtime_error);
}

}  // namespace
}  // namespace entune::test
