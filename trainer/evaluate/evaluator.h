#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/entity.h"
#include "data/scoring/document_score.h"
#include "distributed/device_mesh.h"
#include "trainer/evaluate/answer_task.h"
#include "trainer/generate/generator.h"

namespace entune {

struct EvaluationOptions {
  GenerationOptions generation;
  AnswerBudget budget;
  bool keep_predictions = false;  ///< answers hold personal data: kept only where asked for
  std::string progress;           ///< what the progress line says ("answering test"); empty: silent
};

/// One answered text. Holds sample text.
struct Prediction {
  std::string id;
  std::string answer;
  bool hit_max_tokens = false;
  ParsedAnswer parsed;
};

struct EvaluationResult {
  std::vector<DocumentScore> documents;  ///< in the order of the examples, on every rank
  std::vector<Prediction> predictions;   ///< likewise; empty unless kept
  GenerationStats stats;                 ///< over all ranks
  double seconds = 0.0;                  ///< wall time of the slowest rank
};

/// Lets the model answer `examples`, parses and scores. The examples are shared out over the data axis by length.
/// Collective over the mesh; every rank returns the same result.
EvaluationResult evaluate(DecoderModel& model, const AnswerTask& task, const std::vector<Example>& examples,
                          DeviceMesh& mesh, const EvaluationOptions& options);

/// Answers only: as evaluate(), without gold and scores, for `texts` in their order.
std::vector<Prediction> predict(DecoderModel& model, const AnswerTask& task, const std::vector<Example>& texts,
                                DeviceMesh& mesh, const EvaluationOptions& options);

}  // namespace entune
