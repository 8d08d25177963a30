#include "trainer/evaluate/evaluator.h"

#include <ATen/ATen.h>
#include <fmt/format.h>

#include <algorithm>
#include <chrono>
#include <nlohmann/json.hpp>
#include <numeric>

#include "data/input_error.h"
#include "trainer/telemetry/progress.h"

namespace entune {
namespace {

struct Answer {
  std::size_t index = 0;  // into the examples
  std::string text;
  bool hit_max_tokens = false;
};

// This rank's share: the longest first, dealt round, so that every rank has work of about the same length.
std::vector<std::size_t> share(const std::vector<GenerationRequest>& requests, Communicator& data) {
  std::vector<std::size_t> order(requests.size());
  std::iota(order.begin(), order.end(), std::size_t{0});
  std::stable_sort(order.begin(), order.end(),
                   [&](std::size_t a, std::size_t b) { return requests[a].ids.size() > requests[b].ids.size(); });
  std::vector<std::size_t> mine;
  for (std::size_t i = static_cast<std::size_t>(data.rank()); i < order.size();
       i += static_cast<std::size_t>(data.size()))
    mine.push_back(order[i]);
  return mine;
}

// Answers travel as JSON; an answer can end inside a character, and CBOR keeps such bytes.
std::string pack(const std::vector<Answer>& answers) {
  nlohmann::json list = nlohmann::json::array();
  for (const Answer& answer : answers) {
    list.push_back({answer.index,
                    nlohmann::json::binary(std::vector<std::uint8_t>(answer.text.begin(), answer.text.end())),
                    answer.hit_max_tokens});
  }
  const std::vector<std::uint8_t> bytes = nlohmann::json::to_cbor(list);
  return {bytes.begin(), bytes.end()};
}

void unpack(const std::string& bytes, std::vector<Answer>& answers) {
  for (const nlohmann::json& item : nlohmann::json::from_cbor(bytes.begin(), bytes.end())) {
    const auto index = item[0].get<std::size_t>();
    const auto& text = item[1].get_binary();
    answers[index] = {index, std::string(text.begin(), text.end()), item[2].get<bool>()};
  }
}

void require_room(DecoderModel& model, const std::vector<Example>& examples,
                  const std::vector<GenerationRequest>& requests) {
  const std::int64_t positions = model.config().max_position_embeddings;
  for (std::size_t i = 0; i < requests.size(); ++i) {
    const auto prompt = static_cast<std::int64_t>(requests[i].ids.size());
    if (prompt + requests[i].max_new_tokens <= positions) continue;
    throw InputError(
        fmt::format("text {}: expected prompt and answer within the model's {} positions, found {} tokens of prompt "
                    "and up to {} of answer; cut the text",
                    examples[i].id, positions, prompt, requests[i].max_new_tokens));
  }
}

struct Answered {
  std::vector<Answer> answers;  // of all ranks, by index
  GenerationStats stats;
  double seconds = 0.0;
};

Answered answer_all(DecoderModel& model, const AnswerTask& task, const std::vector<Example>& examples, DeviceMesh& mesh,
                    const EvaluationOptions& options) {
  const auto begin = std::chrono::steady_clock::now();
  Communicator& data = mesh.axis(MeshAxis::data);
  std::vector<GenerationRequest> requests;
  for (const Example& example : examples)
    requests.push_back(task.request(example.text, options.budget, options.generation));
  require_room(model, examples, requests);
  const std::vector<std::size_t> mine = share(requests, data);
  std::vector<GenerationRequest> my_requests;
  for (std::size_t index : mine) my_requests.push_back(std::move(requests[index]));

  model.set_training(false);
  Generator generator(model, task.stop_ids(), options.generation);
  std::vector<Answer> my_answers;
  {
    // The first rank's share is about an even part of all.
    const std::string what =
        data.size() > 1 ? fmt::format("{} (1/{} of all)", options.progress, data.size()) : options.progress;
    Progress progress(what, static_cast<std::int64_t>(mine.size()), "texts",
                      mesh.world().rank() == 0 && !options.progress.empty());
    const std::vector<GeneratedAnswer> generated =
        generator.generate(my_requests, [&](std::int64_t done) { progress.update(done); });
    for (std::size_t i = 0; i < mine.size(); ++i)
      my_answers.push_back({mine[i], task.answer_text(generated[i]), generated[i].hit_max_tokens});
  }

  Answered result;
  result.answers.resize(examples.size());
  for (const std::string& bytes : all_gather_bytes(data, pack(my_answers))) unpack(bytes, result.answers);
  const GenerationStats& stats = generator.stats();
  at::Tensor counts = at::tensor(stats.counts(), at::kLong);
  data.all_reduce(counts, ReduceOp::sum);
  result.stats = GenerationStats::of_counts({counts.const_data_ptr<std::int64_t>(), static_cast<std::size_t>(counts.numel())});
  at::Tensor seconds =
      at::full({1}, std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count(), at::kFloat);
  data.all_reduce(seconds, ReduceOp::max);
  result.seconds = seconds.item<float>();
  return result;
}

}  // namespace

EvaluationResult evaluate(DecoderModel& model, const AnswerTask& task, const std::vector<Example>& examples,
                          DeviceMesh& mesh, const EvaluationOptions& options) {
  Answered answered = answer_all(model, task, examples, mesh, options);
  EvaluationResult result{.documents = {}, .predictions = {}, .stats = answered.stats, .seconds = answered.seconds};
  for (std::size_t i = 0; i < examples.size(); ++i) {
    Answer& answer = answered.answers[i];
    ParsedAnswer parsed = task.format().parse(answer.text, examples[i].text);
    result.documents.push_back(score_document(examples[i], parsed, answer.hit_max_tokens));
    if (options.keep_predictions) {
      result.predictions.push_back({examples[i].id, std::move(answer.text), answer.hit_max_tokens, std::move(parsed)});
    }
  }
  return result;
}

std::vector<Prediction> predict(DecoderModel& model, const AnswerTask& task, const std::vector<Example>& texts,
                                DeviceMesh& mesh, const EvaluationOptions& options) {
  Answered answered = answer_all(model, task, texts, mesh, options);
  std::vector<Prediction> predictions;
  for (std::size_t i = 0; i < texts.size(); ++i) {
    Answer& answer = answered.answers[i];
    ParsedAnswer parsed = task.format().parse(answer.text, texts[i].text);
    predictions.push_back({texts[i].id, std::move(answer.text), answer.hit_max_tokens, std::move(parsed)});
  }
  return predictions;
}

}  // namespace entune
