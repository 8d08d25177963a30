#include "trainer/loop/rank_record.h"

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cerrno>
#include <fstream>
#include <new>
#include <system_error>

namespace entune {
namespace fs = std::filesystem;

static_assert(std::is_trivially_copyable_v<RankRecord> && sizeof(RankRecord) <= 4096);

SharedRecord::SharedRecord(const fs::path& file) : file_(file) {
  int descriptor = -1;
  if (!file_.empty()) {
    fs::remove(file_);  // an earlier run's: its readers keep what they have
    descriptor = ::open(file_.c_str(), O_RDWR | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    if (descriptor < 0) throw std::system_error(errno, std::generic_category(), file_.string());
    // The room is taken now: a disk that is full later must not end the process.
    if (const int error = ::posix_fallocate(descriptor, 0, sizeof(RankRecord)); error != 0) {
      ::close(descriptor);
      ::unlink(file_.c_str());
      throw std::system_error(error, std::generic_category(), file_.string());
    }
  }
  void* const memory = ::mmap(nullptr, sizeof(RankRecord), PROT_READ | PROT_WRITE,
                              descriptor < 0 ? MAP_PRIVATE | MAP_ANONYMOUS : MAP_SHARED, descriptor, 0);
  const int error = errno;
  if (descriptor >= 0) ::close(descriptor);
  if (memory == MAP_FAILED) {
    if (!file_.empty()) ::unlink(file_.c_str());
    throw std::system_error(error, std::generic_category(), file_.string());
  }
  ::mlock(memory, sizeof(RankRecord));  // a read must not wait for a file system that hangs; without it, it may
  record_ = new (memory) RankRecord;
}

SharedRecord::~SharedRecord() {
  ::munmap(record_, sizeof(RankRecord));
  if (!file_.empty()) ::unlink(file_.c_str());
}

std::optional<RankRecord> read_record(const fs::path& file) {
  std::ifstream in(file, std::ios::binary);
  RankRecord record;
  in.read(reinterpret_cast<char*>(&record), sizeof record);
  if (!in) return std::nullopt;
  // What is no record of this program.
  if (static_cast<std::size_t>(record.pulse.phase) >= kPhaseNames.size() || record.tensor_size == 0) return std::nullopt;
  for (const RankRecord::Call& call : record.kept) {
    if (static_cast<std::size_t>(call.group) >= kNumWatchedGroups ||
        static_cast<std::size_t>(call.call) >= kNumWatchedCalls) {
      return std::nullopt;
    }
  }
  record.machine.back() = '\0';
  return record;
}

}  // namespace entune
