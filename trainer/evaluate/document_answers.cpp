#include "trainer/evaluate/document_answers.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <deque>
#include <exception>
#include <memory>
#include <nlohmann/json.hpp>
#include <numeric>
#include <utility>

#include "data/code_points.h"
#include "data/documents/merge.h"
#include "data/documents/windows.h"
#include "data/input_error.h"
#include "trainer/telemetry/progress.h"
#include "trainer/weights/gathered_writer.h"

namespace entune {
namespace {

using nlohmann::json;

/// What a round holds of windows and room for their answers, in a rank's batches: enough to fill them, little to lose.
constexpr std::int64_t kRoundBatches = 4;
/// Where a window meets the prompt its tokens may be others than those counted.
constexpr std::int64_t kJointTokens = 8;

/// A window of some document on its way to the ranks.
struct Piece {
  std::string text;
  std::int64_t num_tokens = 0;
};

struct PieceAnswer {
  std::string text;
  bool hit_max_tokens = false;
};

std::string to_bytes(const json& value) {
  const std::vector<std::uint8_t> bytes = json::to_cbor(value);
  return {bytes.begin(), bytes.end()};
}

std::string pack(const std::vector<Piece>& pieces) {
  json list = json::array();
  for (const Piece& piece : pieces) list.push_back({piece.text, piece.num_tokens});
  return to_bytes(list);
}

std::vector<Piece> unpack(const std::string& bytes) {
  std::vector<Piece> pieces;
  for (json& item : json::from_cbor(bytes))
    pieces.push_back({std::move(item[0].get_ref<std::string&>()), item[1].get<std::int64_t>()});
  return pieces;
}

// This rank's share: the longest first, dealt round, so that every rank has work of about the same length.
std::vector<std::size_t> share(const std::vector<Piece>& pieces, Communicator& data) {
  std::vector<std::size_t> order(pieces.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return pieces[a].num_tokens > pieces[b].num_tokens; });
  std::vector<std::size_t> mine;
  for (auto i = static_cast<std::size_t>(data.rank()); i < order.size(); i += static_cast<std::size_t>(data.size()))
    mine.push_back(order[i]);
  return mine;
}

/// Tokens of a text, for windows of at most `most`: more than these where a constrained answer, which must be whole,
/// would not fit beside the text into `room`. It can need many more than the text has (bio: a line for each of 500
/// dashes, which are a few tokens).
std::int64_t tokens_for_windows(const AnswerTask& task, const DocumentOptions& options, std::int64_t most,
                                std::int64_t room, std::string_view text) {
  const std::int64_t tokens = task.num_tokens(text);
  if (!options.generation.constrain || tokens > most) return tokens;
  const std::int64_t needed = tokens + task.answer_tokens(text, tokens, options.budget, options.generation);
  return needed <= room ? tokens : (most * needed + room - 1) / room;
}

/// What is asked for, as far as prompt, text and answer fit the model.
WindowLimits window_limits(DecoderModel& model, const AnswerTask& task, const DocumentOptions& options) {
  const std::int64_t positions = model.config().max_position_embeddings;
  const auto prompt =
      static_cast<std::int64_t>(task.continue_turns(task.prompt().turns_for(""), /*max_new_tokens=*/1).ids.size());
  const auto answer_tokens = [&](std::int64_t tokens) {
    return free_answer_tokens(tokens, options.budget, options.generation);
  };
  const auto fits = [&](std::int64_t tokens) {
    return prompt + kJointTokens + tokens + answer_tokens(tokens) <= positions;
  };
  std::int64_t window = options.windows.max_tokens, whole = window;
  if (window == 0) {
    const std::int64_t usual = options.budget.usual_text;
    window = usual > 0 ? std::max(WindowOptions::kFewestTokens, usual) : WindowOptions::kUncutTokens;
    whole = std::max({WindowOptions::kUncutTokens, window, options.budget.longest_text});
  }
  std::int64_t tokens = whole;
  if (!fits(tokens)) {
    std::int64_t too_many = whole;
    for (tokens = 0; tokens + 1 < too_many;) {
      const std::int64_t middle = (tokens + too_many) / 2;
      (fits(middle) ? tokens : too_many) = middle;
    }
  }
  if (tokens < 1) {
    throw InputError(fmt::format(
        "expected prompt, text and answer within the model's {} positions, found {} tokens of prompt and up "
        "to {} of answer; shorten task.prompt, or set generation.max_new_tokens",
        positions, prompt, answer_tokens(1)));
  }
  const std::int64_t most = std::min(whole, tokens);
  const auto count = [&task, &options, most, room = positions - prompt - kJointTokens](std::string_view text) {
    return tokens_for_windows(task, options, most, room, text);
  };
  return {.max_tokens = std::min(window, tokens),
          .overlap = options.windows.overlap,
          .count_tokens = count,
          .whole_tokens = most};
}

/// Rank 0's: the documents that are not through, in order.
class OpenDocuments {
 public:
  using Next = std::function<std::optional<Document>()>;
  using Take = std::function<void(const Document&, DocumentAnswer)>;

  OpenDocuments(const AnswerTask& task, const DocumentOptions& options, WindowLimits limits, std::int64_t round_tokens,
                const Next& next, const Take& take)
      : task_(task),
        options_(options),
        limits_(std::move(limits)),
        round_tokens_(round_tokens),
        next_(next),
        take_(take) {}

  std::int64_t num_taken() const { return num_taken_; }

  /// The windows of the next round; none at the end. Throws what `next` threw once all before it is through.
  std::vector<Piece> next_round() {
    std::vector<Piece> round;
    std::int64_t tokens = 0;
    while (tokens < round_tokens_) {
      if (open_.empty() || open_.back().num_sent == open_.back().windows.size()) {
        if (!read_document()) break;
        continue;
      }
      Piece piece = next_piece(open_.back());
      tokens += piece.num_tokens + free_answer_tokens(piece.num_tokens, options_.budget, options_.generation);
      round.push_back(std::move(piece));
    }
    if (round.empty() && failure_) std::rethrow_exception(failure_);
    return round;
  }

  /// Answers of the last round, in its order.
  void accept(std::vector<PieceAnswer> answers) {
    auto open = open_.begin();
    for (PieceAnswer& answer : answers) {
      while (open->parsed.size() == open->windows.size()) ++open;
      open->parsed.push_back(task_.format().parse(answer.text, slice(*open, open->parsed.size())));
      open->answer.hit_max_tokens |= answer.hit_max_tokens;
      open->answer.answers.push_back(std::move(answer.text));
    }
    take_finished();
  }

 private:
  struct Open {
    Document document;
    std::vector<Window> windows;
    std::vector<std::size_t> bytes;  // of the windows: where each begins and ends
    std::size_t num_sent = 0;
    std::vector<ParsedAnswer> parsed;
    DocumentAnswer answer;
  };

  static std::string_view slice(const Open& open, std::size_t window) {
    const std::size_t begin = open.bytes[2 * window];
    return std::string_view(open.document.text).substr(begin, open.bytes[2 * window + 1] - begin);
  }

  static std::vector<Entity> found_by_windows(const Open& open) {
    std::vector<Entity> found;
    for (std::size_t i = 0; i < open.parsed.size(); ++i) {
      for (Entity entity : open.parsed[i].repaired()) {
        entity.start += open.windows[i].start;
        entity.end += open.windows[i].start;
        found.push_back(std::move(entity));
      }
    }
    std::ranges::sort(found);
    found.erase(std::unique(found.begin(), found.end()), found.end());
    return found;
  }

  bool read_document() {
    if (at_end_) return false;
    std::optional<Document> document;
    try {
      document = next_();
    } catch (...) {
      failure_ = std::current_exception();
    }
    at_end_ = !document;
    if (at_end_) return false;
    Open open;
    open.document = std::move(*document);
    open.windows = cut(open.document.text, limits_);
    const CodePointIndex index(open.document.text);
    for (const Window& window : open.windows) {
      open.bytes.push_back(index.byte_offset(window.start));
      open.bytes.push_back(index.byte_offset(window.end));
    }
    open_.push_back(std::move(open));
    take_finished();  // one of white space alone may have no windows
    return true;
  }

  Piece next_piece(Open& open) {
    const std::string_view text = slice(open, open.num_sent++);
    return {std::string(text), task_.num_tokens(text)};
  }

  void take_finished() {
    while (!open_.empty() && open_.front().parsed.size() == open_.front().windows.size()) {
      Open& open = open_.front();
      open.answer.found_by_windows = found_by_windows(open);
      open.answer.parsed = merge_answers(open.document.text, open.windows, std::move(open.parsed));
      take_(open.document, std::move(open.answer));
      ++num_taken_;
      open_.pop_front();
    }
  }

  const AnswerTask& task_;
  const DocumentOptions& options_;
  const WindowLimits limits_;
  const std::int64_t round_tokens_;
  const Next& next_;
  const Take& take_;
  std::deque<Open> open_;
  bool at_end_ = false;
  std::exception_ptr failure_;
  std::int64_t num_taken_ = 0;
};

/// The answers to the pieces, of all ranks and in the pieces' order. Collective over the data axis.
class Answerer {
 public:
  Answerer(DecoderModel& model, const AnswerTask& task, Communicator& data, const DocumentOptions& options)
      : positions_(model.config().max_position_embeddings),
        task_(task),
        data_(data),
        options_(options),
        generator_(model, task.stop_ids(), options.generation) {}

  std::vector<PieceAnswer> answer(const std::vector<Piece>& pieces,
                                  const std::function<void(std::int64_t done, std::int64_t all)>& progress) {
    const std::vector<std::size_t> mine = share(pieces, data_);
    std::vector<GenerationRequest> requests;
    for (const std::size_t i : mine) {
      requests.push_back(task_.request(pieces[i].text, options_.budget, options_.generation));
      require_room(requests.back());
    }
    const std::vector<GeneratedAnswer> generated = generator_.generate(
        requests, [&](std::int64_t done) { progress(done, static_cast<std::int64_t>(mine.size())); });
    // An answer can end inside a character: CBOR's binaries keep such bytes.
    json packed = json::array();
    for (std::size_t i = 0; i < mine.size(); ++i) {
      const std::string text = task_.answer_text(generated[i]);
      packed.push_back(
          {mine[i], json::binary(std::vector<std::uint8_t>(text.begin(), text.end())), generated[i].hit_max_tokens});
    }
    std::vector<PieceAnswer> answers(pieces.size());
    for (const std::string& bytes : all_gather_bytes(data_, to_bytes(packed))) {
      for (const json& item : json::from_cbor(bytes)) {
        const auto& text = item[1].get_binary();
        answers[item[0].get<std::size_t>()] = {std::string(text.begin(), text.end()), item[2].get<bool>()};
      }
    }
    return answers;
  }

  /// Of all ranks. Collective.
  GenerationStats stats() const {
    at::Tensor counts = at::tensor(generator_.stats().counts(), at::kLong);
    data_.all_reduce(counts, ReduceOp::sum);
    return GenerationStats::of_counts(
        {counts.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(counts.numel())});
  }

 private:
  void require_room(const GenerationRequest& request) const {
    const auto prompt = static_cast<std::int64_t>(request.ids.size());
    if (prompt + request.max_new_tokens <= positions_) return;
    throw InputError(
        fmt::format("expected prompt, window and answer within the model's {} positions, found {} tokens of prompt and "
                    "window and up to {} of answer; give a smaller --window-tokens",
                    positions_, prompt, request.max_new_tokens));
  }

  const std::int64_t positions_;
  const AnswerTask& task_;
  Communicator& data_;
  const DocumentOptions& options_;
  Generator generator_;
};

}  // namespace

DocumentStats answer_documents(DecoderModel& model, const AnswerTask& task, DeviceMesh& mesh,
                               const DocumentOptions& options, const std::function<std::optional<Document>()>& next,
                               const std::function<void(const Document&, DocumentAnswer)>& take) {
  const auto begin = std::chrono::steady_clock::now();
  Communicator& world = mesh.world();
  Communicator& data = mesh.axis(MeshAxis::data);
  const bool first_rank = world.rank() == 0;
  WindowLimits limits = window_limits(model, task, options);
  model.set_training(false);
  Answerer answerer(model, task, data, options);
  OpenDocuments open(task, options, std::move(limits), kRoundBatches * options.generation.batch_tokens * data.size(),
                     next, take);
  Progress progress(options.progress, options.num_documents, "texts", first_rank && !options.progress.empty());

  DocumentStats stats;
  std::vector<PieceAnswer> answers;
  while (true) {
    std::string round;  // empty: the end
    on_rank_zero(world, [&] {
      open.accept(std::move(answers));
      progress.update(open.num_taken());
      const std::vector<Piece> pieces = open.next_round();
      if (!pieces.empty()) round = pack(pieces);
    });
    round = broadcast_bytes(world, round, 0);
    if (round.empty()) break;
    const std::vector<Piece> pieces = unpack(round);
    stats.num_windows += static_cast<std::int64_t>(pieces.size());
    answers = answerer.answer(pieces, [&](std::int64_t done, std::int64_t all) {
      progress.update(open.num_taken(), fmt::format("window {} of this round's {}", done, all));
    });
  }
  stats.generation = answerer.stats();
  stats.num_documents =
      static_cast<std::int64_t>(over_ranks(world, static_cast<double>(open.num_taken()), ReduceOp::max));
  stats.seconds =
      over_ranks(world, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), ReduceOp::max);
  return stats;
}

}  // namespace entune
