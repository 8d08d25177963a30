#include "trainer/telemetry/progress.h"

#include <fmt/format.h>
#include <unistd.h>

#include <cstdio>
#include <cstdlib>
#include <filesystem>
#include <memory>
#include <string_view>
#include <system_error>
#include <utility>

#include "trainer/telemetry/pulse.h"

namespace entune {
namespace {

constexpr double kTerminalSeconds = 0.2;  // between two renewals of the line
constexpr double kPlainSeconds = 15.0;    // between two plain lines

/// Whether the process that started this one writes its errors to a terminal.
bool parent_has_terminal() {
  std::error_code error;
  const std::filesystem::path stream = std::filesystem::read_symlink(fmt::format("/proc/{}/fd/2", getppid()), error);
  return !error && (stream.string().starts_with("/dev/pts/") || stream.string().starts_with("/dev/tty"));
}

bool terminal_at_the_end() {
  if (const char* said = std::getenv("ENTUNE_TERMINAL")) return std::string_view(said) == "1";
  if (isatty(STDERR_FILENO) == 1) return true;
  return std::getenv("OMPI_COMM_WORLD_RANK") != nullptr && parent_has_terminal();
}

std::string duration(double seconds) {
  const auto whole = static_cast<std::int64_t>(seconds + 0.5);
  if (whole < 60) return fmt::format("{} s", whole);
  if (whole < 3600) return fmt::format("{} min {:02} s", whole / 60, whole % 60);
  return fmt::format("{} h {:02} min", whole / 3600, whole / 60 % 60);
}

}  // namespace

Progress::Progress(std::string what, std::int64_t total, std::string unit, bool shown)
    : what_(std::move(what)), total_(total), unit_(std::move(unit)), shown_(shown), terminal_(terminal_at_the_end()) {}

Progress::~Progress() {
  if (!shown_ || done_ == 0) return;
  if (printed_ != done_) print(last_note_);
  if (terminal_) std::fputc('\n', stderr);
}

void Progress::update(std::int64_t done, const std::string& note) {
  beat();
  done_ = done;
  last_note_ = note;
  if (!shown_) return;
  const double since = std::chrono::duration<double>(Clock::now() - last_print_).count();
  if (since >= (terminal_ ? kTerminalSeconds : kPlainSeconds)) print(note);
}

void Progress::print(const std::string& note) {
  last_print_ = Clock::now();
  printed_ = done_;
  const double seconds = std::chrono::duration<double>(last_print_ - begin_).count();
  const double rate = seconds > 0 ? static_cast<double>(done_) / seconds : 0.0;
  std::string line = total_ > 0 ? fmt::format("{}: {}/{} {}", what_, done_, total_, unit_)
                                : fmt::format("{}: {} {}", what_, done_, unit_);
  if (rate > 0)
    line += fmt::format(", {} {}/s", fmt::format(fmt::runtime(rate < 100 ? "{:.3g}" : "{:.0f}"), rate), unit_);
  line += done_ < total_ && rate > 0 ? fmt::format(", {} left", duration(static_cast<double>(total_ - done_) / rate))
                                     : fmt::format(", {}", duration(seconds));
  if (!note.empty()) line += ", " + note;
  if (terminal_) {
    fmt::print(stderr, "\r\033[K{}", line);
  } else {
    fmt::print(stderr, "{}\n", line);
  }
  std::fflush(stderr);
}

std::function<void(std::int64_t, std::int64_t)> byte_progress(std::string what, bool shown) {
  const auto progress = std::make_shared<std::unique_ptr<Progress>>();
  return [progress, what = std::move(what), shown](std::int64_t done, std::int64_t total) {
    if (!*progress) *progress = std::make_unique<Progress>(what, total >> 20, "MiB", shown);
    (*progress)->update(done >> 20);
  };
}

}  // namespace entune
