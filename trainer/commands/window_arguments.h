#pragma once

#include <CLI/CLI.hpp>

#include "trainer/commands/count_check.h"
#include "trainer/evaluate/document_answers.h"

namespace entune {

/// How a command that answers texts cuts the long ones.
inline void add_window_options(CLI::App& command, WindowOptions& windows) {
  command
      .add_option("--window-tokens", windows.max_tokens,
                  "Texts of more tokens are answered in windows of so many, or fewer where more do not fit the model; "
                  "default: as long as the training's texts")
      ->check(count_from(1));
  command.add_option("--overlap", windows.overlap, "Characters that neighbouring windows share, up to half of one")
      ->check(count_from(0))
      ->capture_default_str();
}

}  // namespace entune
