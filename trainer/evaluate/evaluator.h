#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "data/entity.h"
#include "data/scoring/document_score.h"
#include "distributed/device_mesh.h"
#include "trainer/evaluate/answer_task.h"
#include "trainer/evaluate/document_answers.h"
#include "trainer/generate/generator.h"

namespace entune {

struct EvaluationOptions {
  GenerationOptions generation;
  AnswerBudget budget;
  WindowOptions windows;
  bool keep_predictions = false;  ///< answers hold personal data: kept only where asked for
  std::string progress;           ///< what the progress line says ("answering test"); empty: silent
};

/// One answered text. Holds sample text.
struct Prediction {
  std::string id;
  DocumentAnswer answer;
};

struct EvaluationResult {
  std::vector<DocumentScore> documents;  ///< in the order of the examples, on every rank
  std::vector<Prediction> predictions;   ///< likewise, on rank 0 alone; empty unless kept
  std::int64_t num_windows = 0;          ///< that the examples were cut into
  GenerationStats stats;                 ///< over all ranks
  double seconds = 0.0;                  ///< wall time of the slowest rank
};

/// Lets the model answer `examples`, whatever their length, parses and scores (document_answers.h). Collective over the
/// mesh; every rank returns the same but for the predictions.
EvaluationResult evaluate(DecoderModel& model, const AnswerTask& task, const std::vector<Example>& examples,
                          DeviceMesh& mesh, const EvaluationOptions& options);

}  // namespace entune
