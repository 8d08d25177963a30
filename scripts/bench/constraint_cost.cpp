// What a constraint costs: the time in which AnswerGuide says what may come next and follows the token that is taken,
// on one core.
//
//   constraint_cost TOKENIZER_DIR [--characters N] [--rounds N]
//
// For every format two texts of N characters: made-up ones with their right answer, and one repeated character, in
// whose answer values stand in very many places (tokens drawn at random of those allowed). Printed are the median over
// the rounds of the mean time a token, and the worst token's. Each round has a new guide, so that nothing is kept from
// one to the next.

#include <fmt/format.h>

#include <CLI/CLI.hpp>
#include <algorithm>
#include <chrono>
#include <string>
#include <vector>

#include "data/code_points.h"
#include "data/constraints/answer_guide.h"
#include "data/formats/output_format.h"
#include "data/random.h"
#include "data/synthesis/generator.h"

namespace entune {
namespace {

constexpr std::size_t kWandered = 300;  // tokens of an answer about the repeated character

/// Generated texts in a row, of at least so many characters.
Example long_example(std::int64_t characters, const OutputFormat& format) {
  Example joined{.id = "joined", .text = {}, .entities = {}, .group = {}};
  std::int64_t size = 0;
  for (const Example& example : generate_corpus({.count = characters, .seed = 1})) {
    if (size >= characters) break;
    if (!format.can_carry(example)) continue;
    for (Entity entity : example.entities)
      joined.entities.push_back({entity.start + size, entity.end + size, entity.label});
    joined.text += example.text + "\n";
    size = CodePointIndex(joined.text).size();
  }
  return joined;
}

struct Cost {
  double mean_us = 0.0, worst_us = 0.0;
  std::size_t tokens = 0;
};

/// Follows the tokens that `choose` takes of those allowed, until it takes none.
template <typename Choose>
Cost follow(AnswerGuide& guide, Choose&& choose) {
  Cost cost;
  GrammarPoints points = guide.start();
  while (true) {
    const auto begin = std::chrono::steady_clock::now();
    const AllowedTokens& allowed = guide.allowed(points);
    const auto mask_end = std::chrono::steady_clock::now();
    const std::optional<TokenId> next = choose(allowed, cost.tokens);
    if (!next) break;
    const auto step_begin = std::chrono::steady_clock::now();
    points = guide.after(points, *next);
    const auto end = std::chrono::steady_clock::now();
    const double us = std::chrono::duration<double, std::micro>(mask_end - begin + (end - step_begin)).count();
    cost.mean_us += us;
    cost.worst_us = std::max(cost.worst_us, us);
    ++cost.tokens;
  }
  cost.mean_us /= static_cast<double>(std::max<std::size_t>(cost.tokens, 1));
  return cost;
}

Cost of_right_answer(const OutputFormat& format, const Example& example, const Tokenizer& tokenizer,
                     const PieceTrie& pieces) {
  const std::vector<TokenId> right = tokenizer.encode(format.render(example));
  AnswerGuide guide(format, example.text, tokenizer, pieces);
  return follow(guide, [&](const AllowedTokens&, std::size_t at) {
    return at < right.size() ? std::optional(right[at]) : std::nullopt;
  });
}

Cost of_wandering(const OutputFormat& format, const std::string& text, const Tokenizer& tokenizer,
                  const PieceTrie& pieces) {
  Random random(3);
  AnswerGuide guide(format, text, tokenizer, pieces);
  return follow(guide, [&](const AllowedTokens& allowed, std::size_t at) {
    std::vector<TokenId> going_on;  // behind which the answer is not at its end
    for (std::size_t i = 0; i < allowed.ids.size(); ++i) {
      if (allowed.tokens_to_end[i] > 0) going_on.push_back(allowed.ids[i]);
    }
    if (at == kWandered || going_on.empty()) return std::optional<TokenId>();
    return std::optional(going_on[random.below(going_on.size())]);
  });
}

template <typename Measure>
void print_row(const std::string& format, std::string_view text, int rounds, Measure&& measure) {
  std::vector<double> means, worst;
  Cost cost;
  for (int i = 0; i < rounds; ++i) {
    cost = measure();
    means.push_back(cost.mean_us);
    worst.push_back(cost.worst_us);
  }
  std::ranges::sort(means);
  std::ranges::sort(worst);
  const std::size_t middle = means.size() / 2;
  fmt::print("{:<12} {:<20} {:>7} {:>12.1f} {:>12.1f}\n", format, text, cost.tokens, means[middle], worst[middle]);
}

void run(const std::string& directory, std::int64_t characters, int rounds) {
  const auto tokenizer = load_tokenizer(directory);
  const PieceTrie pieces(*tokenizer);
  fmt::print("{:<12} {:<20} {:>7} {:>12} {:>12}\n", "format", "text", "tokens", "us a token", "worst us");
  for (const std::string& name : output_format_names()) {
    const auto format = make_output_format(name, synthetic_labels());
    const Example usual = long_example(characters, *format);
    print_row(name, "usual", rounds, [&] { return of_right_answer(*format, usual, *tokenizer, pieces); });
    const std::string repeated(static_cast<std::size_t>(characters), 'a');
    print_row(name, "one character", rounds, [&] { return of_wandering(*format, repeated, *tokenizer, pieces); });
  }
}

}  // namespace
}  // namespace entune

int main(int argc, char** argv) {
  CLI::App app("What a constraint costs a token");
  std::string directory;
  std::int64_t characters = 2000;
  int rounds = 5;
  app.add_option("tokenizer", directory, "Model directory whose tokenizer is read")->required();
  app.add_option("--characters", characters, "Of each text")->check(CLI::Range(1, 1000000));
  app.add_option("--rounds", rounds, "Repetitions, of which the median is taken")->check(CLI::Range(1, 1000));
  CLI11_PARSE(app, argc, argv);
  entune::run(directory, characters, rounds);
}
