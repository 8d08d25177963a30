#include <c10/util/Exception.h>

#include "trainer/model/decode_graph.h"

namespace entune {

struct DecodeGraph::Recording {
  at::Tensor output;
};

DecodeGraph::DecodeGraph(at::Device, std::uint64_t, const std::function<at::Tensor()>&) {
  TORCH_CHECK(false, "decode graph: this build has no CUDA in it; configure it with ENTUNE_CUDA=on");
}
DecodeGraph::~DecodeGraph() = default;
const at::Tensor& DecodeGraph::replay() { return recording_->output; }

}  // namespace entune
