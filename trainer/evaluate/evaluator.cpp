#include "trainer/evaluate/evaluator.h"

#include <nlohmann/json.hpp>
#include <optional>
#include <utility>

namespace entune {

EvaluationResult evaluate(DecoderModel& model, const AnswerTask& task, const std::vector<Example>& examples,
                          DeviceMesh& mesh, const EvaluationOptions& options) {
  EvaluationResult result;
  std::size_t num_asked = 0, num_scored = 0;  // rank 0's
  nlohmann::json scores = nlohmann::json::array();
  const auto next = [&]() -> std::optional<Document> {
    if (num_asked == examples.size()) return std::nullopt;
    const Example& example = examples[num_asked++];
    return Document{example.id, example.text};
  };
  const auto take = [&](const Document& document, DocumentAnswer answer) {
    scores.push_back(to_json(score_document(examples[num_scored++], answer.parsed, answer.hit_max_tokens)));
    if (options.keep_predictions) result.predictions.push_back({document.id, std::move(answer)});
  };
  const DocumentStats stats = answer_documents(model, task, mesh,
                                               {.generation = options.generation,
                                                .budget = options.budget,
                                                .windows = options.windows,
                                                .progress = options.progress,
                                                .num_documents = static_cast<std::int64_t>(examples.size())},
                                               next, take);
  for (const nlohmann::json& score : nlohmann::json::parse(broadcast_bytes(mesh.world(), scores.dump(), 0)))
    result.documents.push_back(document_score_from_json(score));
  result.num_windows = stats.num_windows;
  result.stats = stats.generation;
  result.seconds = stats.seconds;
  return result;
}

}  // namespace entune
