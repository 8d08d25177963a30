#include "trainer/plan/held_bytes.h"

#include <c10/core/Allocator.h>
#include <c10/util/Exception.h>

#include <mutex>
#include <utility>

namespace entune {
namespace {

/// What counts in this thread.
struct Counting {
  std::shared_ptr<HeldBytes> bytes;
  std::int64_t granularity = 1;
};
thread_local Counting counting;

/// Memory of a tensor that has none: as long as it lives, its bytes count.
struct Block {
  std::shared_ptr<HeldBytes> owner;
  std::int64_t bytes;
};

void release(void* context) {
  const std::unique_ptr<Block> block(static_cast<Block*>(context));
  block->owner->add(-block->bytes);
}

/// PyTorch's own gives meta tensors no memory either, and tells nobody.
class CountingMetaAllocator : public c10::Allocator {
 public:
  c10::DataPtr allocate(std::size_t size) override {
    const c10::Device meta(c10::DeviceType::Meta);
    if (counting.bytes == nullptr || size == 0) return {nullptr, nullptr, &c10::detail::deleteNothing, meta};
    const std::int64_t each = counting.granularity;
    auto block =
        std::make_unique<Block>(Block{counting.bytes, (static_cast<std::int64_t>(size) + each - 1) / each * each});
    block->owner->add(block->bytes);
    return {nullptr, block.release(), &release, meta};
  }
  c10::DeleterFnPtr raw_deleter() const override { return nullptr; }
  void copy_data(void*, const void*, std::size_t) const override {}
};

}  // namespace

class CpuTensorBytes::Reports : public c10::MemoryReportingInfoBase {
 public:
  void reportMemoryUsage(void*, std::int64_t size, std::size_t, std::size_t, c10::Device device) override {
    if (device.is_cpu()) bytes.add(size);
  }
  bool memoryProfilingEnabled() const override { return true; }
  HeldBytes bytes;
};

CpuTensorBytes::CpuTensorBytes()
    : reports_(std::make_shared<Reports>()), guard_(c10::DebugInfoKind::PROFILER_STATE, reports_) {}

HeldBytes& CpuTensorBytes::bytes() { return reports_->bytes; }

MetaTensorBytes::MetaTensorBytes(std::int64_t granularity) : bytes_(std::make_shared<HeldBytes>()) {
  static std::once_flag once;
  std::call_once(once, [] {
    static CountingMetaAllocator allocator;
    c10::SetAllocator(c10::DeviceType::Meta, &allocator, /*priority=*/1);
  });
  TORCH_CHECK(counting.bytes == nullptr, "expected one count of meta tensors at a time");
  counting = {bytes_, granularity};
}

MetaTensorBytes::~MetaTensorBytes() { counting = {}; }

}  // namespace entune
