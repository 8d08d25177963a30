#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

#include "data/code_points.h"
#include "data/documents/document_reader.h"
#include "data/documents/jsonl_output.h"
#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/commands/stream_files.h"
#include "trainer/commands/window_arguments.h"
#include "trainer/evaluate/document_answers.h"
#include "trainer/study/trained_cell.h"
#include "trainer/weights/gathered_writer.h"

namespace entune {
namespace {

struct Arguments {
  std::string run;
  std::string cell;
  std::vector<std::string> overrides;
  std::string text;
  std::string input;
  std::string output = "-";
  bool resume = false;
  bool overwrite = false;
  std::string reading = "repaired";
  WindowOptions windows;
};

/// Rank 0's way in and out: standard input and files are its alone.
class Documents {
 public:
  explicit Documents(const Arguments& arguments) {
    open(arguments);
    output_.emplace(arguments.output, existing_output(arguments.resume, arguments.overwrite));
  }

  /// The next one that has no line in the output yet.
  std::optional<Document> next() {
    while (std::optional<Document> document = read()) {
      if (!output_->has(document->id)) return document;
    }
    output_->require_no_more();
    return std::nullopt;
  }
  void write(const nlohmann::ordered_json& line) { output_->write(line.dump()); }

 private:
  static void require_utf8(const std::string& text) {
    try {
      CodePointIndex{text};
    } catch (const InputError& error) {
      throw InputError(fmt::format("--text: {}", error.what()));
    }
  }

  void open(const Arguments& arguments) {
    if (!arguments.text.empty()) {
      require_utf8(arguments.text);
      only_ = {.id = "1", .text = arguments.text};
      return;
    }
    const bool standard_input = arguments.input == "-";
    if (!standard_input) {
      if (arguments.output != "-") require_apart({arguments.input}, {arguments.output});
      file_ = open_input(arguments.input);
    }
    using Lines = DocumentReader::Lines;
    reader_.emplace(standard_input ? std::cin : file_, arguments.input,
                    standard_input                        ? Lines::by_first_line
                    : arguments.input.ends_with(".jsonl") ? Lines::jsonl
                                                          : Lines::text);
  }

  std::optional<Document> read() { return reader_ ? reader_->next() : std::exchange(only_, std::nullopt); }

  std::optional<JsonlOutput> output_;
  std::ifstream file_;
  std::optional<DocumentReader> reader_;
  std::optional<Document> only_;
};

nlohmann::ordered_json result_line(const Document& document, const DocumentAnswer& answer, bool raw) {
  const CodePointIndex index(document.text);
  nlohmann::ordered_json line;
  line["id"] = document.id;
  line["entities"] = nlohmann::ordered_json::array();
  for (const Entity& entity : raw ? answer.parsed.raw() : answer.parsed.repaired()) {
    line["entities"].push_back({{"start", entity.start},
                                {"end", entity.end},
                                {"label", entity.label},
                                {"value", std::string(index.slice(entity.start, entity.end))}});
  }
  line["well_formed"] = answer.parsed.well_formed();
  line["hit_max_tokens"] = answer.hit_max_tokens;
  line["windows"] = answer.num_windows();
  return line;
}

void run_predict(const Arguments& arguments, Communicator& world) {
  if (arguments.text.empty() == arguments.input.empty())
    throw InputError("expected either --text TEXT or --input FILE");
  const StoredCell stored = find_stored_cell(arguments.run, arguments.cell, arguments.overrides);
  std::optional<Documents> documents;
  on_rank_zero(world, [&] { documents.emplace(arguments); });
  TrainedCell cell = load_trained_cell(stored, world);
  answer_documents(
      *cell.model, *cell.setup.task, *cell.mesh,
      {.generation = cell.loaded.recipe.generation.options,
       .budget = cell.budget,
       .windows = arguments.windows,
       .progress = arguments.text.empty() ? "answering" : "",
       .num_documents = 0},
      [&] { return documents->next(); },
      [&](const Document& document, const DocumentAnswer& answer) {
        documents->write(result_line(document, answer, arguments.reading == "raw"));
      });
}

}  // namespace

void add_predict(CLI::App& app, CommandContext& context) {
  const auto arguments = std::make_shared<Arguments>();
  CLI::App* command = app.add_subcommand("predict", "Find entities in texts with a trained run; writes spans as JSONL");
  command->add_option("run", arguments->run, "Run folder (runs/<name>)")->required()->type_name("DIR");
  command->add_option("--cell", arguments->cell,
                      "Cell of the run: name as in its report, or number from 0 (not needed where there is one)");
  command->add_option("--set", arguments->overrides, "Values that replace the run's recipe: parallel.tensor=2")
      ->type_name("KEY=VALUE");
  command->add_option("--text", arguments->text, "One text");
  command
      ->add_option("--input,-i", arguments->input,
                   "One text a line, or JSONL with \"text\" and \"id\"; - for standard input")
      ->type_name("FILE");
  command->add_option("--output,-o", arguments->output, "JSONL to write; - for standard output")
      ->type_name("FILE")
      ->capture_default_str();
  CLI::Option* resume =
      command->add_flag("--resume", arguments->resume, "Keep the lines that the output has and go on behind them");
  command->add_flag("--overwrite", arguments->overwrite, "Replace an output file that is there")->excludes(resume);
  add_window_options(*command, arguments->windows);
  command->add_option("--reading", arguments->reading, "raw: as the answer stands; repaired: aligned to the text")
      ->check(CLI::IsMember({"raw", "repaired"}))
      ->capture_default_str();
  command->callback(
      [&context, arguments] { context.run = [&context, arguments] { run_predict(*arguments, context.world); }; });
}

}  // namespace entune
