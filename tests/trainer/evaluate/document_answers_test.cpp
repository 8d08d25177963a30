#include "trainer/evaluate/document_answers.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <mutex>
#include <stdexcept>

#include "data/code_points.h"
#include "data/input_error.h"
#include "data/tokens/byte_alphabet.h"
#include "tests/support/thread_communicator.h"

namespace entune {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

/// Every byte is a token.
std::unique_ptr<Tokenizer> byte_tokenizer() {
  BpeTables tables;
  for (int byte = 0; byte < 256; ++byte)
    tables.pieces.push_back(to_byte_alphabet(std::string(1, static_cast<char>(byte))));
  tables.pieces.insert(tables.pieces.end(), {"<|endoftext|>", "<|im_start|>", "<|im_end|>"});
  tables.control_ids = {256, 257, 258};
  tables.pre_tokenizer = "gpt2";
  return make_bpe_tokenizer(std::move(tables));
}

/// A random model with its task, on every rank the same.
class SmallModel {
 public:
  explicit SmallModel(Communicator& world, std::int64_t positions = 2048, const std::string& format = "json_values")
      : mesh_(world, world.size(), 1),
        tokenizer_(byte_tokenizer()),
        task_(format, {.kind = "minimal", .turns = {}}, {{"PERSON", "name"}}, "chatml", *tokenizer_) {
    LlamaConfig config;
    config.vocab_size = 259;
    config.hidden_size = 32;
    config.intermediate_size = 48;
    config.num_layers = 2;
    config.num_heads = 4;
    config.num_kv_heads = 2;
    config.head_dim = 8;
    config.max_position_embeddings = positions;
    config.initializer_range = 0.6;
    model_ = std::make_unique<DecoderModel>(config, ModelOptions{}, mesh_.axis(MeshAxis::tensor));
    model_->initialize_random(1);
  }

  DocumentStats answer(const DocumentOptions& options, const std::function<std::optional<Document>()>& next,
                       const std::function<void(const Document&, DocumentAnswer)>& take) {
    return answer_documents(*model_, task_, mesh_, options, next, take);
  }

 private:
  DeviceMesh mesh_;
  std::unique_ptr<Tokenizer> tokenizer_;
  AnswerTask task_;
  std::unique_ptr<DecoderModel> model_;
};

/// Rounds of a few windows of 40 tokens.
DocumentOptions small_rounds() {
  DocumentOptions options;
  options.generation = {.max_new_tokens = 4, .batch_tokens = 60};
  options.windows = {.max_tokens = 40, .overlap = 10};
  return options;
}

Document document(int n) {
  Document made{.id = std::to_string(n), .text = {}};
  for (int i = 0; i < 7 * n; ++i) made.text += "word" + std::to_string(i * n) + (i % 5 == 4 ? ".\n" : " ");
  return made;
}

struct Taken {
  std::vector<std::string> ids;
  std::vector<std::vector<std::string>> answers;
  std::vector<std::int64_t> windows;  // as every rank was told in the end
};

Taken answer_nine(int num_ranks) {
  Taken taken;
  std::mutex mutex;
  test::spawn_ranks(num_ranks, [&](Communicator& world) {
    SmallModel model(world);
    int n = 0;
    const DocumentStats stats = model.answer(
        small_rounds(),
        [&]() -> std::optional<Document> {
          EXPECT_EQ(world.rank(), 0);
          return n < 9 ? std::optional(document(n++)) : std::nullopt;
        },
        [&](const Document& each, DocumentAnswer answer) {
          EXPECT_EQ(world.rank(), 0);
          EXPECT_LE(n - std::stoi(each.id), 7) << "reads far ahead of what is through";
          taken.ids.push_back(each.id);
          taken.answers.push_back(answer.answers);
        });
    const std::lock_guard lock(mutex);
    EXPECT_EQ(stats.num_documents, 9);
    EXPECT_GT(stats.generation.generated_tokens, stats.num_windows);
    taken.windows.push_back(stats.num_windows);
  });
  return taken;
}

TEST(DocumentAnswers, ComeInOrderAndAreThoseOfOneRank) {
  const Taken one = answer_nine(1), three = answer_nine(3);
  EXPECT_THAT(one.ids, ElementsAre("0", "1", "2", "3", "4", "5", "6", "7", "8"));
  EXPECT_EQ(one.answers[0].size(), 1u);
  EXPECT_GT(one.answers[8].size(), 5u);
  EXPECT_EQ(three.ids, one.ids);
  EXPECT_EQ(three.answers, one.answers);
  EXPECT_THAT(three.windows, ElementsAre(one.windows[0], one.windows[0], one.windows[0]));
}

TEST(DocumentAnswers, WhatEachWindowFoundCoversWhatIsMerged) {
  std::int64_t num_found = 0;
  test::spawn_ranks(1, [&](Communicator& world) {
    SmallModel model(world, 2048, "xml");
    DocumentOptions options = small_rounds();
    options.generation.max_new_tokens = 300;
    options.generation.constrain = true;  // an untrained model finds something then
    int n = 6;
    model.answer(
        options, [&] { return n < 9 ? std::optional(document(n++)) : std::nullopt; },
        [&](const Document&, const DocumentAnswer& answer) {
          EXPECT_GT(answer.num_windows(), 1);
          EXPECT_TRUE(std::ranges::is_sorted(answer.found_by_windows));
          const auto is_found = [&](std::int64_t at) {
            return std::ranges::any_of(answer.found_by_windows,
                                       [&](const Entity& span) { return span.start <= at && at < span.end; });
          };
          for (const Entity& entity : answer.parsed.repaired()) {
            for (std::int64_t at = entity.start; at < entity.end; ++at) EXPECT_TRUE(is_found(at)) << at;
          }
          num_found += static_cast<std::int64_t>(answer.found_by_windows.size());
        });
  });
  EXPECT_GT(num_found, 10);
}

TEST(DocumentAnswers, AnErrorOfTheInputEndsEveryRankBehindTheDocumentsBeforeIt) {
  std::vector<std::string> ids, errors;
  std::mutex mutex;
  test::spawn_ranks(3, [&](Communicator& world) {
    SmallModel model(world);
    int n = 0;
    try {
      model.answer(
          small_rounds(),
          [&]() -> std::optional<Document> {
            if (n == 4) throw InputError("in.jsonl:5: bad");
            return document(n++);
          },
          [&](const Document& each, const DocumentAnswer&) { ids.push_back(each.id); });
    } catch (const InputError& error) {
      const std::lock_guard lock(mutex);
      errors.emplace_back(error.what());
    }
  });
  EXPECT_THAT(ids, ElementsAre("0", "1", "2", "3"));
  EXPECT_THAT(errors, ElementsAre("in.jsonl:5: bad", "in.jsonl:5: bad", "in.jsonl:5: bad"));
}

TEST(DocumentAnswers, AnErrorOfTheOutputEndsEveryRank) {
  std::vector<std::string> errors;
  std::mutex mutex;
  test::spawn_ranks(2, [&](Communicator& world) {
    SmallModel model(world);
    try {
      model.answer(
          small_rounds(), [n = 0]() mutable { return std::optional(document(n++)); },
          [&](const Document& each, const DocumentAnswer&) {
            if (each.id == "2") throw std::runtime_error("disk full");
          });
    } catch (const std::runtime_error& error) {
      const std::lock_guard lock(mutex);
      errors.emplace_back(error.what());
    }
  });
  EXPECT_THAT(errors, ElementsAre("disk full", "disk full"));
}

TEST(DocumentAnswers, WindowsLeaveRoomForPromptAndAnswer) {
  test::spawn_ranks(1, [](Communicator& world) {
    DocumentOptions options = small_rounds();
    options.windows.max_tokens = 100000;
    const auto windows_of = [&](std::int64_t positions) {
      bool given = false;
      return SmallModel(world, positions)
          .answer(
              options, [&] { return std::exchange(given, true) ? std::nullopt : std::optional(document(8)); },
              [](const Document&, const DocumentAnswer&) {})
          .num_windows;
    };
    EXPECT_EQ(windows_of(4096), 1);
    EXPECT_GT(windows_of(600), 2);
    try {
      windows_of(400);
      FAIL();
    } catch (const InputError& error) {
      EXPECT_THAT(error.what(), HasSubstr("within the model's 400 positions"));
    }
  });
}

/// A constrained answer must be whole, and can need far more tokens than its text has.
TEST(DocumentAnswers, WindowsLeaveRoomForConstrainedAnswers) {
  const auto expect_whole = [](const std::string& format, const std::string& text, std::int64_t fewest_windows) {
    SCOPED_TRACE(format);
    test::spawn_ranks(1, [&](Communicator& world) {
      SmallModel model(world, 1000, format);
      DocumentOptions options;
      options.generation = {.max_new_tokens = 16, .batch_tokens = 2000, .constrain = true};
      options.windows = {.max_tokens = 100000, .overlap = 0};
      bool given = false;
      model.answer(
          options,
          [&] {
            return std::exchange(given, true) ? std::nullopt : std::optional(Document{"x", text});
          },
          [&](const Document&, const DocumentAnswer& answer) {
            EXPECT_GE(answer.num_windows(), fewest_windows);
            EXPECT_FALSE(answer.hit_max_tokens);
            EXPECT_TRUE(answer.parsed.well_formed());
          });
    });
  };
  expect_whole("bio", std::string(600, '-'), 4);  // four tokens a dash
  expect_whole("xml", document(8).text, 2);
  expect_whole("json", document(8).text, 1);
}

TEST(DocumentAnswers, TextsOfWhiteSpaceAndNoneAreAnswered) {
  test::spawn_ranks(1, [](Communicator& world) {
    std::vector<std::int64_t> windows;
    std::vector<Document> texts = {{"c", "Ida"}, {"b", std::string(100, ' ')}, {"a", ""}};
    SmallModel(world).answer(
        small_rounds(),
        [&]() -> std::optional<Document> {
          if (texts.empty()) return std::nullopt;
          Document next = std::move(texts.back());
          texts.pop_back();
          return next;
        },
        [&](const Document&, const DocumentAnswer& answer) { windows.push_back(answer.num_windows()); });
    EXPECT_THAT(windows, ElementsAre(1, 0, 1));
  });
}

}  // namespace
}  // namespace entune
