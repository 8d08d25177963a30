#include <fmt/format.h>

#include <fstream>
#include <iostream>
#include <memory>
#include <nlohmann/json.hpp>

#include "data/code_points.h"
#include "data/input_error.h"
#include "trainer/commands/commands.h"
#include "trainer/evaluate/evaluator.h"
#include "trainer/study/trained_cell.h"

namespace entune {
namespace {

using nlohmann::json;

struct Arguments {
  std::string run;
  std::string cell;
  std::vector<std::string> overrides;
  std::string text;
  std::string input;
  std::string output = "-";
  std::string reading = "repaired";
};

Example text_of_line(const std::string& line, bool is_json, const std::string& where, std::size_t number) {
  Example example{.id = std::to_string(number), .text = line, .entities = {}, .group = {}};
  if (is_json) {
    const json object = json::parse(line, nullptr, false);
    if (!object.is_object() || !object.contains("text") || !object["text"].is_string()) {
      throw InputError(
          fmt::format("{}:{}: expected a JSON object with a string \"text\", found something else; a file of plain "
                      "texts must not end in .jsonl",
                      where, number));
    }
    example.text = object["text"];
    if (object.contains("id"))
      example.id = object["id"].is_string() ? object["id"].get<std::string>() : object["id"].dump();
  }
  try {
    CodePointIndex{example.text};
  } catch (const InputError& error) {
    throw InputError(fmt::format("{}:{}: {}", where, number, error.what()));
  }
  return example;
}

// One text a line; JSONL where the name says so, or on standard input where the first line is an object.
std::vector<Example> read_texts(const Arguments& arguments) {
  if (!arguments.text.empty()) return {text_of_line(arguments.text, false, "--text", 1)};
  const bool standard_input = arguments.input == "-";
  std::ifstream file;
  if (!standard_input) {
    file.open(arguments.input);
    if (!file)
      throw InputError(fmt::format("{}: cannot be read; give an existing file to --input, or - for standard input",
                                   arguments.input));
  }
  std::istream& in = standard_input ? std::cin : file;
  bool is_json = arguments.input.ends_with(".jsonl");
  std::vector<Example> texts;
  std::size_t number = 0;
  for (std::string line; std::getline(in, line);) {
    ++number;
    if (!line.empty() && line.back() == '\r') line.pop_back();
    if (standard_input && number == 1) is_json = json::parse(line, nullptr, false).is_object();
    if (!line.empty()) texts.push_back(text_of_line(line, is_json, arguments.input, number));
  }
  return texts;
}

// Only rank 0 reads: standard input is its alone.
std::vector<Example> share_texts(const Arguments& arguments, Communicator& world) {
  json list = json::array();
  if (world.rank() == 0) {
    for (const Example& text : read_texts(arguments)) list.push_back({text.id, text.text});
  }
  std::vector<Example> texts;
  for (const json& item : json::parse(broadcast_bytes(world, list.dump(), 0))) {
    texts.push_back(
        {.id = item[0].get<std::string>(), .text = item[1].get<std::string>(), .entities = {}, .group = {}});
  }
  return texts;
}

std::string result_line(const Prediction& prediction, const Example& text, bool raw) {
  const CodePointIndex index(text.text);
  nlohmann::ordered_json line;
  line["id"] = prediction.id;
  line["entities"] = nlohmann::ordered_json::array();
  for (const Entity& entity : raw ? prediction.parsed.raw() : prediction.parsed.repaired()) {
    line["entities"].push_back({{"start", entity.start},
                                {"end", entity.end},
                                {"label", entity.label},
                                {"value", std::string(index.slice(entity.start, entity.end))}});
  }
  line["well_formed"] = prediction.parsed.well_formed();
  line["hit_max_tokens"] = prediction.hit_max_tokens;
  return line.dump() + "\n";
}

void run_predict(const Arguments& arguments, Communicator& world) {
  if (arguments.text.empty() == arguments.input.empty())
    throw InputError("expected either --text TEXT or --input FILE");
  std::ofstream file;
  if (world.rank() == 0 && arguments.output != "-") {
    file.open(arguments.output);
    if (!file) throw InputError(fmt::format("{}: cannot be written; give another file to --output", arguments.output));
  }
  const std::vector<Example> texts = share_texts(arguments, world);
  TrainedCell cell = load_trained_cell(arguments.run, arguments.cell, arguments.overrides, world);
  const std::vector<Prediction> predictions = predict(*cell.model, *cell.setup.task, texts, *cell.mesh,
                                                      {.generation = cell.loaded.recipe.generation.options,
                                                       .budget = cell.budget,
                                                       .keep_predictions = true,
                                                       .progress = texts.size() > 1 ? "answering" : ""});
  if (world.rank() != 0) return;
  std::ostream& out = arguments.output == "-" ? std::cout : file;
  for (std::size_t i = 0; i < texts.size(); ++i)
    out << result_line(predictions[i], texts[i], arguments.reading == "raw");
  if (!out.flush()) throw std::runtime_error(fmt::format("{}: could not be written whole", arguments.output));
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
  command->add_option("--reading", arguments->reading, "raw: as the answer stands; repaired: aligned to the text")
      ->check(CLI::IsMember({"raw", "repaired"}))
      ->capture_default_str();
  command->callback(
      [&context, arguments] { context.run = [&context, arguments] { run_predict(*arguments, context.world); }; });
}

}  // namespace entune
