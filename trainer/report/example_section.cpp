#include "trainer/report/example_section.h"

#include <fmt/format.h>

#include <algorithm>
#include <fstream>
#include <nlohmann/json.hpp>
#include <optional>
#include <set>

#include "data/code_points.h"
#include "data/entity.h"
#include "data/input_error.h"
#include "data/scoring/canonical_spans.h"
#include "trainer/report/html_text.h"

namespace entune {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

struct Answered {
  std::string id, text;
  std::vector<Entity> gold, predicted;
};

std::vector<Entity> entities_of(const json& list) {
  std::vector<Entity> entities;
  for (const json& item : list) {
    entities.push_back({item.at("start").get<std::int64_t>(), item.at("end").get<std::int64_t>(),
                        item.at("label").get<std::string>()});
  }
  return entities;
}

std::optional<Answered> answered_of(const std::string& line) {
  try {
    const json object = json::parse(line);
    Answered answered{object.at("id"), object.at("text"), entities_of(object.at("gold")),
                      entities_of(object.at("raw"))};
    const CodePointIndex valid(answered.text);
    return answered;
  } catch (const json::exception&) {  // what() may quote the text
    return std::nullopt;
  }
}

/// "PERSON" of the spans over a code point; several are joined.
std::string labels_at(const std::vector<Entity>& spans, std::int64_t at) {
  std::string labels;
  for (const Entity& span : spans) {
    if (span.start <= at && at < span.end) labels += (labels.empty() ? "" : ", ") + span.label;
  }
  return labels;
}

/// The text cut wherever a span begins or ends; what a span covers is marked, with its labels behind it.
std::string marked_text(const Answered& answered, const std::vector<Entity>& gold,
                        const std::vector<Entity>& predicted) {
  const CodePointIndex index(answered.text);
  std::set<std::int64_t> cuts = {0, index.size()};
  for (const auto* spans : {&gold, &predicted}) {
    for (const Entity& span : *spans) {
      for (const std::int64_t cut : {span.start, span.end}) cuts.insert(std::clamp<std::int64_t>(cut, 0, index.size()));
    }
  }
  std::string html;
  for (auto cut = cuts.begin(); std::next(cut) != cuts.end(); ++cut) {
    const std::string piece = html_escaped(index.slice(*cut, *std::next(cut)));
    const std::string truth = labels_at(gold, *cut), answer = labels_at(predicted, *cut);
    if (truth.empty() && answer.empty()) {
      html += piece;
      continue;
    }
    const std::string note = truth == answer  ? truth
                             : answer.empty() ? "gold " + truth
                             : truth.empty()  ? "answer " + answer
                                              : fmt::format("gold {}, answer {}", truth, answer);
    html += fmt::format("<mark class=\"{}\">{}<small>{}</small></mark>",
                        truth == answer  ? "right"
                        : answer.empty() ? "missed"
                        : truth.empty()  ? "spurious"
                                         : "confused",
                        piece, html_escaped(note));
  }
  return html;
}

/// The files of a cell's answers, by split.
std::vector<fs::path> files_of(const CellAnswers& cell) {
  std::vector<fs::path> files;
  if (!fs::is_directory(cell.folder)) return files;
  for (const auto& entry : fs::directory_iterator(cell.folder)) {
    if (entry.path().extension() == ".jsonl") files.push_back(entry.path());
  }
  std::sort(files.begin(), files.end());
  return files;
}

/// The wrong ones among a file's answers, at most `most`.
std::vector<std::string> wrong_answers(const std::string& cell, const fs::path& path, std::size_t most) {
  std::vector<std::string> items;
  std::ifstream file(path, std::ios::binary);
  std::string line;
  for (int number = 1; items.size() < most && std::getline(file, line); ++number) {
    const std::optional<Answered> answered = answered_of(line);
    if (!answered) {
      throw InputError(
          fmt::format("{}:{}: expected an answer with its text and gold spans, found something else; evaluate the "
                      "cell again with this version",
                      path.string(), number));
    }
    const std::u32string text = code_points_of(answered->text);
    const std::vector<Entity> gold = canonical_spans(text, answered->gold).entities;
    const std::vector<Entity> predicted = canonical_spans(text, answered->predicted).entities;
    if (gold == predicted) continue;
    items.push_back(fmt::format("<h3>{}, {}, {}</h3>\n<p class=\"example\">{}</p>\n", html_escaped(cell),
                                html_escaped(path.stem().string()), html_escaped(answered->id),
                                marked_text(*answered, gold, predicted)));
  }
  return items;
}

}  // namespace

std::string example_section(const std::vector<CellAnswers>& cells, std::int64_t per_cell) {
  std::string html;
  std::size_t num_files = 0, num_shown = 0;
  for (const CellAnswers& cell : cells) {
    std::size_t left = static_cast<std::size_t>(per_cell);
    for (const fs::path& path : files_of(cell)) {
      ++num_files;
      for (const std::string& item : wrong_answers(cell.cell, path, left)) {
        html += item;
        --left;
        ++num_shown;
      }
    }
  }
  if (num_files == 0) {
    throw InputError(
        "--examples: expected answers that the run has kept, found none; run it with generation.write_predictions: "
        "true");
  }
  return fmt::format(
      "<section>\n<h2>Wrong answers</h2>\n<div class=\"note\"><p>This part shows {} texts of the data set: the page "
      "holds personal data and must be kept like it.</p></div>\n<p class=\"soft\">Spans as answered: <mark "
      "class=\"right\">right</mark> <mark class=\"missed\">missed</mark> <mark class=\"spurious\">not in the "
      "gold</mark> <mark class=\"confused\">another label</mark></p>\n{}</section>\n",
      num_shown, html);
}

}  // namespace entune
