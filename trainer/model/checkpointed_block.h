#pragma once

#include <memory>

#include "trainer/model/decoder_block.h"

namespace entune {

/// block.forward with the block's activations dropped: the backward runs it again from x and adds its parameters'
/// gradients to their .grad directly. `block` must outlive the graph. Returns x + branch.
at::Tensor checkpointed_forward(const DecoderBlock& block, const at::Tensor& x,
                                std::shared_ptr<const BatchContext> batch, const at::Tensor& rows);

}  // namespace entune
