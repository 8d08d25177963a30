#include "trainer/study/cell_run.h"

#include <ATen/core/Tensor.h>
#include <fmt/format.h>

#include <nlohmann/json.hpp>
#include <utility>

#include "data/patterns/pattern_recognizer.h"
#include "data/scoring/score_report.h"
#include "trainer/evaluate/evaluator.h"
#include "trainer/report/summary_file.h"
#include "trainer/study/cell_export.h"
#include "trainer/study/cell_training.h"
#include "trainer/telemetry/pulse.h"

namespace entune {
namespace {

namespace fs = std::filesystem;
using nlohmann::json;

// {"task.format": "xml", ...}
json overrides_json(const std::vector<std::string>& overrides) {
  json object = json::object();
  for (const std::string& entry : overrides) {
    const std::size_t equals = entry.find('=');
    object[entry.substr(0, equals)] = entry.substr(equals + 1);
  }
  return object;
}

json prediction_json(const Prediction& prediction, const Example& example) {
  const auto entities = [](const std::vector<Entity>& list) {
    json array = json::array();
    for (const Entity& entity : list)
      array.push_back({{"start", entity.start}, {"end", entity.end}, {"label", entity.label}});
    return array;
  };
  const DocumentAnswer& answer = prediction.answer;
  json line{{"id", prediction.id},
            {"text", example.text},
            {"gold", entities(example.entities)},
            {"hit_max_tokens", answer.hit_max_tokens},
            {"raw", entities(answer.parsed.raw())},
            {"repaired", entities(answer.parsed.repaired())}};
  // Of a text that was cut, one for each window.
  if (answer.num_windows() == 1) {
    line["answer"] = answer.answers.front();
  } else {
    line["answers"] = answer.answers;
  }
  return line;
}

// Of the same texts, in the same order.
void write_predictions(const std::filesystem::path& path, const std::vector<Prediction>& predictions,
                       const std::vector<Example>& examples) {
  std::string lines;
  for (std::size_t i = 0; i < predictions.size(); ++i) {
    lines += prediction_json(predictions[i], examples[i]).dump(-1, ' ', false, json::error_handler_t::replace) + "\n";
  }
  write_file_whole(path, lines);
}

void write_scores(const std::filesystem::path& directory, const std::string& split,
                  const std::vector<DocumentScore>& documents) {
  std::filesystem::create_directories(directory / "scores");
  write_document_scores(directory / "scores" / (split + ".jsonl"), documents);
}

json merge_json(const MergeDifference& difference) {
  return {{"largest_logit_difference", difference.largest},
          {"largest_logit", difference.largest_logit},
          {"positions", difference.num_positions},
          {"same_choice", difference.num_same_choice}};
}

// Of the whole model, over all tensor ranks; `trained` are those that training changes: 0 for a model as it is.
json model_json(const Recipe& recipe, DecoderModel& model) {
  const ModelSize size = model_size(model);
  const bool is_trained = recipe.training.method != TrainingMethod::none;
  return {{"path", recipe.model.path}, {"parameters", size.parameters}, {"trained", is_trained ? size.trained : 0}};
}

/// Hours of the cell's own training and answering; where the ranks work on GPUs also theirs, and their price if the
/// recipe names one.
json cost_json(const Recipe& recipe, const json& result, DecoderModel& model, std::int64_t num_ranks) {
  double seconds = result["generate"]["seconds"];
  if (result.contains("train")) seconds += result["train"]["seconds"].get<double>();
  const double hours = seconds / 3600.0;
  json cost{{"ranks", num_ranks}, {"hours", hours}, {"gpu_hours", nullptr}, {"usd", nullptr}};
  if (model.parameters().front().value.is_cuda()) {
    const double gpu_hours = hours * static_cast<double>(num_ranks);
    cost["gpu_hours"] = gpu_hours;
    if (recipe.gpu_hour_price_usd > 0.0) cost["usd"] = gpu_hours * recipe.gpu_hour_price_usd;
  }
  return cost;
}

json corpus_json(const CellData& data) {
  return {{"train", data.train.size()},
          {"validation", data.validation.size()},
          {"test", data.test.size()},
          {"left_out", data.left_out}};
}

}  // namespace

json answering_json(const EvaluationResult& answered, std::size_t num_texts) {
  return {{"seconds", answered.seconds},
          {"texts", num_texts},
          {"windows", answered.num_windows},
          {"prompt_tokens", answered.stats.prompt_tokens},
          {"generated_tokens", answered.stats.generated_tokens},
          {"forward_passes", answered.stats.forward_passes},
          {"answer_passes", answered.stats.answer_passes},
          {"drafted_tokens", answered.stats.drafted_tokens},
          {"accepted_tokens", answered.stats.accepted_tokens}};
}

ScoreReportOptions score_report_options(const Recipe& recipe) {
  return {.bootstrap_samples = recipe.evaluation.bootstrap,
          .confidence = 0.95,
          .seed = recipe.seed,
          .held_out = recipe.data.held_out_labels};
}

void run_cell(const StudyCell& cell, const CellSetup& setup, const CellData& data, DeviceMesh& mesh,
              const RunFolder& folder, RunMetrics& metrics) {
  const Recipe& recipe = cell.loaded.recipe;
  const bool first_rank = mesh.world().rank() == 0;
  const fs::path directory = folder.cell(cell.name);
  const AnswerBudget budget = setup.task->fit_budget(data.train);
  enter_phase(Phase::load);
  std::unique_ptr<DecoderModel> model = load_model(recipe, setup, mesh, first_rank);
  metrics.begin_cell(cell, *model, mesh);

  json result{{"name", cell.name},
              {"format", recipe.task.format},
              {"seed", recipe.seed},
              {"method", method_name(recipe.training.method)},
              {"overrides", overrides_json(cell.overrides)},
              {"model", model_json(recipe, *model)},
              {"chat", setup.chat_family},
              {"answer_budget_slope", budget.slope},
              {"longest_text_tokens", budget.longest_text},
              {"usual_text_tokens", budget.usual_text},
              {"corpus", corpus_json(data)}};
  if (recipe.training.method != TrainingMethod::none) {
    result["train"] = train_cell(cell, setup, data, budget, *model, mesh, directory, metrics);
    enter_phase(Phase::export_weights);
    export_trained_weights(recipe, setup, *model, mesh, directory);
  }

  const auto answer_splits = [&](const GenerationOptions& generation, const fs::path& place, json& into) {
    const bool is_free_row = place != directory;
    EvaluationResult work;
    std::size_t num_texts = 0;
    for (const std::string& split : recipe.evaluation.splits) {
      const std::vector<Example>& examples = data.side(split);
      const RunMetrics::InPhase timed(metrics, RunMetrics::Apart::evaluation);
      const bool keeps = recipe.generation.write_predictions && first_rank && !is_free_row;
      const EvaluationResult answered =
          evaluate(*model, *setup.task, examples, mesh,
                   {.generation = generation,
                    .budget = budget,
                    .windows = {},
                    .keep_predictions = keeps,
                    .progress = fmt::format("answering {} with {}", split, into["name"].get<std::string>())});
      work.seconds += answered.seconds;
      work.stats += answered.stats;
      work.num_windows += answered.num_windows;
      num_texts += examples.size();
      enter_phase(Phase::report);
      if (!first_rank) continue;
      into["scores"][split] = score_report(answered.documents, recipe.labels, score_report_options(recipe));
      write_scores(place, split, answered.documents);
      if (!is_free_row) metrics.record_answers(split, answered, into["scores"][split]);
      if (keeps) write_predictions(place / "predictions" / (split + ".jsonl"), answered.predictions, examples);
    }
    into["generate"] = answering_json(work, num_texts);
  };
  answer_splits(recipe.generation.options, directory, result);
  if (recipe.generation.options.constrain) {
    json free_row = result;
    for (const char* key : {"train", "scores", "generate"}) free_row.erase(key);
    free_row["name"] = fmt::format("{}{}", cell.name, kFreeSuffix);
    free_row["of"] = cell.name;
    free_row["overrides"][kDecodingOverride] = "free";
    GenerationOptions unconstrained = recipe.generation.options;
    unconstrained.constrain = false;
    answer_splits(unconstrained, directory / "free", free_row);
    free_row["cost"] = cost_json(recipe, free_row, *model, mesh.world().size());
    if (first_rank) {
      write_file_whole(directory / "free" / "recipe.yaml", cell.loaded.resolved_yaml);
      write_file_whole(directory / "free" / "cell.json", free_row.dump(1) + "\n");
    }
  }
  result["cost"] = cost_json(recipe, result, *model, mesh.world().size());
  // Last, as it frees the model.
  if (recipe.training.method == TrainingMethod::lora && recipe.export_as == "merged") {
    enter_phase(Phase::export_weights);
    const MergeDifference difference = export_merged_model(recipe, setup, std::move(model), mesh, directory / "model");
    if (first_rank) fmt::print("{}: merged; {}\n", (directory / "model").string(), describe(difference));
    result["merged"] = merge_json(difference);
  }
  if (first_rank) {
    write_file_whole(directory / "recipe.yaml", cell.loaded.resolved_yaml);
    write_file_whole(directory / "cell.json", result.dump(1) + "\n");
  }
  mesh.world().barrier();
}

void run_pattern_baseline(const Recipe& recipe, const CellData& data, const RunFolder& folder) {
  const std::filesystem::path directory = folder.cell("patterns");
  const PatternRecognizer recognizer(recipe.labels);
  json result{{"name", "patterns"},          {"format", json()},
              {"seed", recipe.seed},         {"method", "patterns"},
              {"overrides", json::object()}, {"corpus", corpus_json(data)}};
  for (const std::string& split : recipe.evaluation.splits) {
    std::vector<DocumentScore> documents;
    for (const Example& example : data.side(split))
      documents.push_back(score_document(example, recognizer.find(example.text)));
    result["scores"][split] = score_report(documents, recipe.labels, score_report_options(recipe));
    write_scores(directory, split, documents);
  }
  write_file_whole(directory / "cell.json", result.dump(1) + "\n");
}

}  // namespace entune
