#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <string>
#include <vector>

#include "data/documents/document.h"
#include "data/formats/output_format.h"
#include "distributed/device_mesh.h"
#include "trainer/evaluate/answer_task.h"
#include "trainer/generate/generator.h"

namespace entune {

/// How texts that are long for the model are cut (data/documents/windows.h).
struct WindowOptions {
  /// Tokens of a window at most, and of a text that is not cut; never more than fit the model. 0: windows of as many as
  /// nearly all texts of the training had (AnswerBudget::usual_text), at least kFewestTokens, and whole texts of as
  /// many as the longest one, at least kUncutTokens: a model does worse on longer ones (scripts/bench/RESULTS.md).
  std::int64_t max_tokens = 0;
  std::int64_t overlap = 60;  ///< code points
  static constexpr std::int64_t kFewestTokens = 32;
  static constexpr std::int64_t kUncutTokens = 128;  ///< also of a window, where nothing is known of the training
};

struct DocumentOptions {
  GenerationOptions generation;
  AnswerBudget budget;
  WindowOptions windows;
  std::string progress;            ///< what the progress line says ("answering test"); empty: silent
  std::int64_t num_documents = 0;  ///< for the progress line; 0: not known
};

/// What the model found in one document. Holds sample text.
struct DocumentAnswer {
  ParsedAnswer parsed;          ///< of the whole document (data/documents/merge.h): raw(), repaired(), well_formed()
  /// Repaired spans of every window, with the document's offsets, before they are merged: sorted, each once, some
  /// overlapping. For removal, where no character that any window found may stay.
  std::vector<Entity> found_by_windows;
  bool hit_max_tokens = false;  ///< an answer of a window did
  std::vector<std::string> answers;  ///< as generated, one for each window
  std::int64_t num_windows() const { return static_cast<std::int64_t>(answers.size()); }
};

/// Over all documents and ranks.
struct DocumentStats {
  GenerationStats generation;
  std::int64_t num_documents = 0;
  std::int64_t num_windows = 0;
  double seconds = 0.0;  ///< wall time of the slowest rank
};

/// Lets the model answer a stream of documents of any length. Their windows are answered in rounds of bounded size,
/// shared out over the data axis: rank 0 holds the documents of a round and the one that reaches into the next,
/// nobody holds more. Collective over the mesh; every rank returns the same.
///
/// `next` (nullopt: no more) and `take` are called on rank 0 of the world alone, elsewhere they may be empty; `take`
/// gets the documents in their order, each as soon as its round is through. What either throws ends the call on every
/// rank with the same error, thrown there too (InputError as InputError, the rest as std::runtime_error); after an
/// error of `next` the documents before it are answered and taken first.
///
/// Throws InputError if the prompt leaves no room for a window, or where one does not fit the model after all.
DocumentStats answer_documents(DecoderModel& model, const AnswerTask& task, DeviceMesh& mesh,
                               const DocumentOptions& options, const std::function<std::optional<Document>()>& next,
                               const std::function<void(const Document&, DocumentAnswer)>& take);

}  // namespace entune
