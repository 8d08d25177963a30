#include <gmock/gmock.h>

#include <cstdlib>

#include "trainer/telemetry/progress.h"

namespace entune {
namespace {

constexpr std::int64_t kMebibyte = std::int64_t{1} << 20;

std::string printed(bool shown, std::int64_t total) {
  setenv("ENTUNE_TERMINAL", "0", 1);
  testing::internal::CaptureStderr();
  {
    const auto report = byte_progress("loading models/m", shown);
    const auto copy = report;
    report(1, total);
    copy(total, total);
  }
  return testing::internal::GetCapturedStderr();
}

TEST(ByteProgress, EndsWithBytesAndBytesPerSecond) {
  EXPECT_THAT(printed(true, 300 * kMebibyte + 5),
              testing::MatchesRegex("loading models/m: 300/300 MiB, [0-9.]+ MiB/s, 0 s\n"));
}

TEST(ByteProgress, IsSilentOnTheOtherRanksAndBelowAMebibyte) {
  EXPECT_EQ(printed(false, 300 * kMebibyte), "");
  EXPECT_EQ(printed(true, kMebibyte - 1), "");
}

}  // namespace
}  // namespace entune
