#pragma once

namespace entune {

/// Gives libtorch's meta device the operators that a training step wants and the C++ library has for real devices alone
/// (Python adds them to its own). They take the memory that their CPU or GPU forms take, working memory included.
/// Calls after the first one do nothing.
void register_meta_operators();

}  // namespace entune
