#pragma once

#include <memory>
#include <string>
#include <string_view>
#include <vector>

#include "data/entity.h"
#include "data/formats/output_format.h"

namespace entune {

enum class Role { system, user, assistant };
std::string_view name_of(Role role);

struct Turn {
  Role role = Role::user;
  std::string text;

  friend bool operator==(const Turn&, const Turn&) = default;
};

struct PromptOptions {
  std::string kind = "explain";  ///< explain (five user turns) | minimal (one) | turns (the recipe's own)
  /// With `turns`: placeholders {text} (in the last turn, once), {labels}, {instruction}, and of the worked example
  /// {example}, {example_answer}, {explanation}. Other {names} of small letters and _ are errors; all other braces are
  /// text. At most one system turn, first; then user and assistant alternate and the user has the last turn.
  std::vector<Turn> turns;
};

/// The instruction turns before and around a text: same text for every sample but for the text itself (and, with label
/// list variants, the labels), so that their tokens can be shared.
class Prompt {
 public:
  /// Throws InputError if the recipe's own turns are unusable (no {text}, unknown placeholder, last turn not the
  /// user's).
  Prompt(const PromptOptions& options, const OutputFormat& format, const LabelList& labels);

  /// All turns up to the user's last one, which holds `text`; the model answers next.
  std::vector<Turn> turns_for(std::string_view text) const;

  /// The `explain` conversation cut before its n-th assistant turn (0: the confirmation, 1: the worked example's
  /// answer, 2: the explanation, 3: the last acknowledgement): what `draft-prompt` lets the model continue. Throws
  /// InputError if this is no `explain` prompt, and std::out_of_range for another n.
  std::vector<Turn> turns_before_answer(int n) const;
  /// The turns before their placeholders are filled in, as a recipe's `task.prompt` list holds them. Given as `turns`,
  /// they make this conversation with this format and label list, and the same prompt's with any other.
  std::vector<Turn> turns_template() const { return template_; }

 private:
  bool is_explain_ = false;
  std::vector<Turn> template_;
  std::vector<Turn> turns_;  // filled in but for {text} in the last one,
  std::size_t text_at_ = 0;  // at this byte
};

}  // namespace entune
