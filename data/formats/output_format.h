#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "data/entity.h"
#include "data/formats/answer_grammar.h"

namespace entune {

/// What can be wrong with an answer. Kept per answer as counts.
enum class AnswerFault {
  unparsable,  ///< no structure of the format could be read (json: not an array of objects; bio: a line without a tag)
  unknown_label,    ///< a label outside the closed list; its entity never counts
  unbalanced,       ///< a tag opened and not closed, closed and not opened, or crossing
  empty_value,      ///< an entity without text
  not_in_text,      ///< a value that occurs nowhere in the input
  copy_differs,     ///< inline formats: the answer without its tags is not the input
  offset_wrong,     ///< json: the input at the given offsets is not the given value; json_values: there is no such
                    ///< occurrence
  ambiguous_value,  ///< a value that occurs more than once while the answer does not say which (json_values without
                    ///< occurrence)
};
inline constexpr std::size_t kNumAnswerFaults = 8;
std::string_view name_of(AnswerFault fault);

/// One entity as the answer states it. `raw` takes the answer as it stands; `repaired` aligns it to the known input, by
/// the same rules for every format (data/formats/alignment.h).
struct Mention {
  std::string value;
  std::string label;               ///< always of the closed list
  std::optional<Entity> raw;       ///< absent where the answer as it stands names no valid place
  std::optional<Entity> repaired;  ///< absent where the value cannot be found in the input
};

/// How far the copy of the input that an answer holds is from it, in code points.
struct CopyDistance {
  std::int64_t edits = 0;   ///< edit_distance() of copy and original (data/formats/copy_distance.h)
  std::int64_t length = 0;  ///< of the original

  friend bool operator==(const CopyDistance&, const CopyDistance&) = default;
};

/// What an answer says, and what was wrong with it. Never fails: any string is an answer.
struct ParsedAnswer {
  std::vector<Mention> mentions;  ///< in the order of the answer
  std::array<std::int64_t, kNumAnswerFaults> faults{};
  /// Inline formats: of the answer without its tags from the input (bio: from the input's words; on either side the
  /// words are joined by line breaks). Zeros in formats that do not copy the text.
  CopyDistance copy{};

  std::int64_t fault(AnswerFault f) const { return faults[static_cast<std::size_t>(f)]; }
  bool well_formed() const;              ///< no unparsable, unbalanced, unknown_label or empty_value
  std::vector<Entity> raw() const;       ///< sorted, without duplicates
  std::vector<Entity> repaired() const;  ///< sorted, without duplicates
};

/// How entities are written into an answer and read back. render and parse are inverses on what the format can carry:
/// parse(render(x), x.text).raw() == x.entities. Nothing is escaped: models copy text.
class OutputFormat {
 public:
  virtual ~OutputFormat() = default;

  virtual std::string_view name() const = 0;
  /// nullopt if the format can express the example, else the reason in a few words (no sample text).
  virtual std::optional<std::string> why_not(const Example& example) const = 0;
  bool can_carry(const Example& example) const { return !why_not(example); }
  /// The answer to learn. The example must be one that can be carried.
  virtual std::string render(const Example& example) const = 0;
  virtual ParsedAnswer parse(std::string_view answer, std::string_view input) const = 0;
  /// The answers about `text` (valid UTF-8) that parse() reads without a fault, but for what of the text `alphabet`
  /// cannot write (a text of which it can write nothing has an empty answer, which is unparsable in bio). Holds those
  /// that render() gives, if their tokens are of the alphabet.
  virtual std::unique_ptr<AnswerGrammar> grammar(std::string_view text, const TokenAlphabet& alphabet) const = 0;
  /// The rule of the format for the instruction turn, in words that fit "Answer ..." prompts of data/prompts.
  virtual std::string instruction() const = 0;
  /// Why the answer to `example` looks as render() makes it, in the first person: the explanation turn of the `explain`
  /// prompt.
  virtual std::string explanation(const Example& example) const = 0;
};

/// xml | json | json_values | bracket | bio, over the closed `labels`. Throws InputError for another name (it lists
/// these), for an empty list, and for a label name that is repeated or not [A-Za-z][A-Za-z0-9_.-]* (it could not stand
/// in a tag).
std::unique_ptr<OutputFormat> make_output_format(std::string_view name, const LabelList& labels);
const std::vector<std::string>& output_format_names();

}  // namespace entune
