// What we save loads in transformers and PEFT and computes there what it computes here, training steps included, and
// what PEFT saves does here. peft_live.py is the other side.
#include <ATen/ATen.h>
#include <ATen/core/grad_mode.h>
#include <fmt/format.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <cstdlib>
#include <map>
#include <nlohmann/json.hpp>
#include <numeric>

#include "tests/support/temporary_directory.h"
#include "tests/trainer/kernels/relative_error.h"
#include "tests/trainer/model/golden_models.h"
#include "tests/trainer/model/small_models.h"
#include "tests/trainer/weights/read_tensor.h"
#include "trainer/loop/trainer.h"
#include "trainer/weights/hugging_face.h"
#include "trainer/weights/safetensors_reader.h"

namespace entune {
namespace {

using nlohmann::json;
using test::expect_close;
using test::read_tensor;

constexpr std::int64_t kNewTokens = 12;

void fill_adapters(DecoderModel& model, double deviation) {
  const at::NoGradGuard no_grad;
  at::manual_seed(2);
  for (auto& parameter : model.parameters()) {
    if (parameter.is_adapter) {
      parameter.value.normal_(0, deviation);
    }
  }
}

at::Tensor our_logits(DecoderModel& model, const std::vector<TokenId>& ids) {
  std::vector<std::int64_t> rows(ids.size());
  std::iota(rows.begin(), rows.end(), 0);
  return model.logits(lay_out({ids}, 0), rows);
}

/// The greedy answer, with the end token if it comes within kNewTokens.
std::vector<std::int64_t> our_answer(DecoderModel& model, const std::vector<TokenId>& ids) {
  const std::vector<std::int64_t>& ends = model.config().eos_token_ids;
  KvCache cache;
  std::vector<std::int64_t> answer;
  for (at::Tensor logits = model.prefill(lay_out({ids}, 0), kNewTokens, cache);;) {
    const at::Tensor next = logits.argmax(-1);
    answer.push_back(next.item<std::int64_t>());
    if (answer.size() == kNewTokens || std::find(ends.begin(), ends.end(), answer.back()) != ends.end()) {
      return answer;
    }
    logits = model.decode(next, cache);
  }
}

/// Needs ENTUNE_PYTHON: a Python with torch, transformers and peft.
class PeftLive : public ::testing::Test {
 protected:
  void SetUp() override {
    if (std::getenv("ENTUNE_PYTHON") == nullptr) {
      GTEST_SKIP() << "missing: ENTUNE_PYTHON, a Python with torch, transformers and peft";
    }
  }

  /// What peft_live.py makes of these jobs; it describes both.
  SafetensorsReader ask(const json& jobs) const {
    const std::filesystem::path wanted = directory_.write("jobs", jobs.dump());
    const std::string command =
        fmt::format("'{}' '{}/tests/trainer/weights/peft_live.py' '{}' '{}' > '{}' 2>&1", std::getenv("ENTUNE_PYTHON"),
                    ENTUNE_SOURCE_DIR, wanted.string(), (directory_ / "out").string(), (directory_ / "log").string());
    EXPECT_EQ(std::system(command.c_str()), 0) << test::read_file(directory_ / "log");
    return SafetensorsReader(directory_ / "out");
  }

  /// A directory that a test makes, as a job names it.
  std::string made(const std::string& name) const { return (directory_ / name).string(); }

  const test::TemporaryDirectory directory_;
  const std::unique_ptr<Communicator> self_ = make_self_communicator();
};

/// A model directory of golden/ and, where it says so, another configuration that fits its weights.
struct FamilyCase {
  std::string name, directory;
  void (*change)(LlamaConfig&) = [](LlamaConfig&) {};
};

/// All of the golden ones, and the other ways to state a window, a scaling and the end tokens.
std::vector<FamilyCase> family_cases() {
  std::vector<FamilyCase> cases = {
      {"mistral_without_window", "mistral_window", [](LlamaConfig& c) { c.sliding_window.reset(); }},
      {"qwen2_window", "qwen2_biases", [](LlamaConfig& c) { c.sliding_window = 4; }},
      {"qwen3_window", "qwen3_head_norms", [](LlamaConfig& c) { c.sliding_window = 4; }},
      {"qwen2_linear", "qwen2_biases",
       [](LlamaConfig& c) {
         c.rope_scaling = {RotaryScaling::Type::linear, 2.5};
       }},
      {"two_end_tokens", "llama_untied",
       [](LlamaConfig& c) {
         c.eos_token_ids = {2, 20};
       }},
  };
  for (const std::string& name : test::golden_models(ENTUNE_SOURCE_DIR)) cases.push_back({name, name});
  return cases;
}

TEST_F(PeftLive, WhatWeSaveOfEveryFamilyGivesOurLogitsAndAnswersThere) {
  const std::vector<TokenId> ids = {1, 5, 17, 3, 29, 11, 8, 41, 7, 2};
  struct Ours {
    at::Tensor base, adapted;
    std::vector<std::int64_t> answer;
  };
  std::map<std::string, Ours> ours;
  json jobs;
  for (const FamilyCase& family : family_cases()) {
    const std::filesystem::path from = test::golden_folder(ENTUNE_SOURCE_DIR, "model") / family.directory;
    const auto name = [&](const std::string& part) { return family.name + "." + part; };
    LlamaConfig config = read_llama_config(from);
    family.change(config);
    DecoderModel base(config, {}, *self_), model(config, test::lora_training(), *self_);
    load_hugging_face_weights(from, base);
    load_hugging_face_weights(from, model);
    fill_adapters(model, 0.3);
    ours[family.name] = {our_logits(base, ids), our_logits(model, ids), our_answer(model, ids)};

    save_hugging_face(made(name("base")), base, {}, *self_);
    save_peft_adapter(made(name("adapter")), model, made(name("base")), *self_);
    save_hugging_face(made(name("merged")), model, {}, *self_);
    save_hugging_face(made(name("sharded")), model, {}, *self_, {.max_file_bytes = 4000});
    ASSERT_TRUE(std::filesystem::exists(directory_ / name("sharded") / "model.safetensors.index.json"));
    jobs[name("base")] = {{"model", made(name("base"))}, {"ids", ids}};
    jobs[name("adapter")] = {{"model", made(name("base"))}, {"adapter", made(name("adapter"))}, {"ids", ids}};
    jobs[name("merged")] = {{"model", made(name("merged"))}, {"ids", ids}, {"new_tokens", kNewTokens}};
    jobs[name("sharded")] = {{"model", made(name("sharded"))}, {"ids", ids}};
  }
  EXPECT_GE(ours.size(), 7U + 5U);
  const SafetensorsReader theirs = ask(jobs);
  for (const auto& [name, our] : ours) {
    EXPECT_GT(test::relative_error(our.base, our.adapted), 0.1) << name << ": the adapter matters";
    expect_close(read_tensor(theirs, name + ".base.logits"), our.base, 1e-5, name);
    for (const char* part : {".adapter", ".merged", ".sharded"})
      expect_close(read_tensor(theirs, name + part + ".logits"), our.adapted, 1e-5, name + part);
    EXPECT_EQ(test::read_integers(theirs, name + ".merged.answer"), our.answer) << name;
  }
  EXPECT_EQ(ours.at("two_end_tokens").answer.back(), 20) << "the second end token is not a part of what is compared";
}

TEST_F(PeftLive, WhatPeftSavesGivesItsLogitsHere) {
  const std::vector<TokenId> ids = {1, 5, 17, 3, 29, 11, 8, 2};
  const auto base = test::make_model(test::small_config(), {}, *self_);
  save_hugging_face(made("base"), *base, {}, *self_);
  const SafetensorsReader theirs =
      ask({{"made", {{"model", made("base")}, {"adapter", made("adapter")}, {"make_adapter", true}, {"ids", ids}}}});
  ModelOptions options;
  options.lora = read_peft_config(made("adapter"));
  EXPECT_EQ(options.lora->rank, 4);
  EXPECT_EQ(options.lora->alpha, 12.0);
  DecoderModel model(test::small_config(), options, *self_);
  load_hugging_face_weights(made("base"), model);
  load_peft_adapter(made("adapter"), model);
  EXPECT_GT(test::relative_error(our_logits(*base, ids), our_logits(model, ids)), 0.1);
  expect_close(our_logits(model, ids), read_tensor(theirs, "made.logits"), 1e-5, "logits");
}

/// SmolLM2-135M-Instruct, trained for two steps from an adapter whose B is not zero (with B = 0 the gradient of A would
/// be zero). Needs ENTUNE_SMOLLM2 too: its directory.
class PeftLiveSmolLm2 : public PeftLive {
 protected:
  static constexpr std::int64_t kSteps = 2, kBatch = 2;

  using Tensors = std::map<std::string, at::Tensor>;
  struct Training {
    Tensors gradients;  ///< of the first step's mean loss, not clipped
    std::vector<StepRecord> records;
    std::vector<Tensors> after;  ///< the adapter after each step
  };

  void SetUp() override {
    PeftLive::SetUp();
    if (IsSkipped()) return;
    const char* directory = std::getenv("ENTUNE_SMOLLM2");
    if (directory == nullptr || !std::filesystem::exists(std::filesystem::path(directory) / "model.safetensors")) {
      GTEST_SKIP() << "missing: ENTUNE_SMOLLM2, SmolLM2-135M-Instruct's directory, which scripts/test.sh makes";
    }
    base_ = directory;
    tokenizer_ = load_tokenizer(base_);
    chat_ = make_chat_encoder("smollm2", *tokenizer_);
    const std::pair<const char*, const char*> texts[] = {
        {"Mail Ida.", "Mail <PERSON>Ida</PERSON>."},
        {"Zoë Weiß called Tom Ortega.", "<PERSON>Zoë Weiß</PERSON> called <PERSON>Tom Ortega</PERSON>."},
        {"Nothing.", "Nothing."},
        {"😀 Kim lives in Oslo.", "😀 <PERSON>Kim</PERSON> lives in <CITY>Oslo</CITY>."}};
    for (const auto& [text, answer] : texts) samples_.push_back({.tokens = chat_->encode(turns(text), answer)});
    // Of a gradient as small as its rounding error AdamW's first steps take nothing but the sign, unless eps is larger.
    training_.optimizer = {.lr = 1e-3, .eps = 1e-6, .weight_decay = 0.1, .clip_norm = 0.5};
    training_.schedule = {.warmup_steps = 0, .decay = ScheduleOptions::Decay::constant};
  }

  static std::vector<Turn> turns(const std::string& text) {
    return {{Role::user, "Write the text again with names of persons and cities in tags.\n" + text}};
  }

  std::unique_ptr<DecoderModel> load(at::ScalarType dtype) const {
    ModelOptions options;
    options.dtype = dtype;
    options.lora = {.rank = 8, .alpha = 24.0, .dropout = 0.0, .targets = test::all_adapters().targets};
    auto model = std::make_unique<DecoderModel>(read_llama_config(base_), options, *self_);
    load_hugging_face_weights(base_, *model);
    return model;
  }

  BatchLoader loader(bool prefix_sharing) const {
    const BatchOptions options{.global_batch = kBatch, .micro_batch_tokens = 4096, .prefix_sharing = prefix_sharing};
    return BatchLoader(samples_, options, 1, 0, 1);
  }

  Training train(DecoderModel& model, bool prefix_sharing) const {
    const BatchLoader batches = loader(prefix_sharing);
    const StepBatches first = batches.load(0, 0);
    EXPECT_EQ(first.micro_batches.at(0).prefix_tokens > 0, prefix_sharing);
    model.set_training(true);
    Training training{.gradients = test::run(model, first.micro_batches).gradients, .records = {}, .after = {}};
    for (auto& [name, gradient] : training.gradients) gradient.div_(first.weight_sum);
    for (const at::Tensor& p : model.trainable_parameters()) p.mutable_grad() = at::Tensor();

    DeviceMesh mesh(*self_, 1, 1);
    Trainer trainer(model, batches, mesh, training_);
    EXPECT_EQ(trainer.total_steps(), kSteps);
    for (std::int64_t step = 0; step < kSteps; ++step) {
      training.records.push_back(trainer.run_step());
      Tensors& after = training.after.emplace_back();
      for (const Parameter& p : model.parameters()) {
        if (p.is_adapter) after[p.name] = p.value.detach().clone();
      }
    }
    model.set_training(false);
    return training;
  }

  /// The same steps there.
  json training_job(const std::string& start) const {
    const AdamWOptions& optimizer = training_.optimizer;
    json train = {{"lr", optimizer.lr},
                  {"betas", {optimizer.beta1, optimizer.beta2}},
                  {"eps", optimizer.eps},
                  {"weight_decay", optimizer.weight_decay},
                  {"clip_norm", optimizer.clip_norm}};
    for (const TrainingSample& sample : samples_) {
      train["samples"].push_back(sample.tokens.ids);
      train["answer_starts"].push_back(sample.tokens.answer_start);
    }
    for (std::int64_t step = 0; step < kSteps; ++step) train["steps"].push_back(loader(true).sample_order(0, step));
    return {{"model", base_.string()}, {"adapter", made(start)}, {"train", train}};
  }

  /// All tensors together within `tolerance` of their norm, each of them within ten times that of its own.
  static void expect_all_close(const Tensors& ours, const SafetensorsReader& file, const std::string& prefix,
                               double tolerance) {
    EXPECT_EQ(ours.size(), 30U * 7U * 2U);
    double difference = 0.0, size = 0.0, worst = 0.0;
    std::string worst_name;
    for (const auto& [name, our] : ours) {
      const at::Tensor their = read_tensor(file, prefix + name);
      ASSERT_EQ(our.sizes(), their.sizes()) << prefix << name;
      const double their_norm = their.norm().item<double>(), distance = (our - their).norm().item<double>();
      ASSERT_GT(their_norm, 0.0) << prefix << name << ": nothing compared";
      difference += distance * distance;
      size += their_norm * their_norm;
      if (!(distance / their_norm <= worst)) {
        worst = distance / their_norm;
        worst_name = name;
      }
    }
    EXPECT_LE(worst, 10.0 * tolerance) << prefix << worst_name;
    EXPECT_LE(std::sqrt(difference / size), tolerance) << prefix;
  }

  /// Measured with plain packing: losses 2e-7, gradient norms 9e-7, gradients 4.5e-6, weights 1.7e-6; with a shared
  /// prefix, where sums run in another order, 1.6e-6, 4e-6, 9e-6 and 3e-6. Two ways of attention within transformers
  /// differ by 5e-6 in the gradients and 1.7e-6 in the weights.
  void expect_same(const Training& ours, const SafetensorsReader& theirs, double gradient_tolerance) const {
    const at::Tensor losses = read_tensor(theirs, "train.loss"), norms = read_tensor(theirs, "train.norm");
    expect_all_close(ours.gradients, theirs, "train.grad.", gradient_tolerance);
    for (std::int64_t step = 0; step < kSteps; ++step) {
      const StepRecord& record = ours.records.at(step);
      EXPECT_NEAR(record.loss, losses[step].item<double>(), 1e-5 * record.loss) << "step " << step;
      EXPECT_NEAR(record.gradient_norm, norms[step].item<double>(), 1e-5 * record.gradient_norm) << "step " << step;
      EXPECT_GT(record.gradient_norm, 2.0 * training_.optimizer.clip_norm) << "clipping is a part of what is compared";
      expect_all_close(ours.after.at(step), theirs, fmt::format("train.{}.", step), 1e-5);
    }
  }

  std::filesystem::path base_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::unique_ptr<ChatEncoder> chat_;
  std::vector<TrainingSample> samples_;
  TrainerOptions training_;
};

TEST_F(PeftLiveSmolLm2, TrainsThereAsHereAndWhatWeExportAnswersThereAsHere) {
  const std::unique_ptr<DecoderModel> model = load(at::kFloat);
  fill_adapters(*model, 0.02);
  save_peft_adapter(made("start"), *model, base_.string(), *self_);
  const Training plain = train(*model, false);
  load_peft_adapter(made("start"), *model);
  const Training shared = train(*model, true);

  const std::vector<TokenId> ids = chat_->encode(turns("Mail Anaïs in Rome."), std::nullopt).ids;
  const at::Tensor logits = our_logits(*model, ids);
  save_peft_adapter(made("adapter"), *model, base_.string(), *self_);
  save_hugging_face(made("merged"), *model, base_, *self_, {.max_file_bytes = 200'000'000});
  EXPECT_TRUE(std::filesystem::exists(directory_ / "merged" / "model.safetensors.index.json"));
  const std::unique_ptr<DecoderModel> low = load(at::kBFloat16);
  load_peft_adapter(made("adapter"), *low);
  const at::Tensor low_logits = our_logits(*low, ids);

  const json base = {{"model", base_.string()}, {"ids", ids}, {"new_tokens", kNewTokens}};
  json adapted = base, adapted_low = base;
  adapted["adapter"] = adapted_low["adapter"] = made("adapter");
  adapted_low["dtype"] = "bfloat16";
  const json merged = {{"model", made("merged")}, {"ids", ids}, {"new_tokens", kNewTokens}};
  const SafetensorsReader theirs = ask({{"train", training_job("start")},
                                        {"base", base},
                                        {"adapted", adapted},
                                        {"adapted_low", adapted_low},
                                        {"merged", merged}});
  const auto their_logits = [&](const std::string& job) { return read_tensor(theirs, job + ".logits"); };
  for (const Training* ours : {&plain, &shared}) {
    SCOPED_TRACE(ours == &shared ? "shared prefix" : "plain packing");
    expect_same(*ours, theirs, ours == &shared ? 2e-5 : 1e-5);
  }
  EXPECT_GT(test::relative_error(their_logits("base"), logits), 0.1) << "the adapter matters";
  // Measured: 1.3e-6 and 2.4e-6.
  expect_close(their_logits("adapted"), logits, 1e-5, "logits of the adapter");
  expect_close(their_logits("merged"), logits, 1e-5, "logits of the merged export");
  const std::vector<std::int64_t> answer = our_answer(*model, ids);
  EXPECT_EQ(test::read_integers(theirs, "merged.answer"), answer);
  EXPECT_NE(test::read_integers(theirs, "base.answer"), answer) << "the adapter matters";
  // In bfloat16 we are as near to float32 as they are (measured: 1.9 % and 2.6 % of the norm).
  const double their_rounding = test::relative_error(their_logits("adapted_low"), logits);
  EXPECT_LT(test::relative_error(low_logits, logits), 1.5 * their_rounding);
  EXPECT_LT(their_rounding, 0.05);
}

}  // namespace
}  // namespace entune
