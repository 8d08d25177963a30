#include "data/prompts/prompt.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <stdexcept>

#include "data/code_points.h"
#include "data/input_error.h"
#include "data/prompts/drafted_turn.h"
#include "data/prompts/worked_example.h"
#include "data/random.h"

namespace entune {
namespace {

LabelList usual_labels() {
  return {{"PERSON", "Name of a person"},
          {"PHONE_NUMBER", "Telephone or mobile number"},
          {"EMAIL_ADDRESS", "Address for electronic mail"},
          {"DATE_TIME", "Date, time of day, or both"},
          {"ORGANIZATION", "Company, authority or club"},
          {"GPE", "Country, city or region"},
          {"STREET_ADDRESS", "Postal address, whole or in part"},
          {"US_SSN", "Social security number of the USA"},
          {"CREDIT_CARD", "Number of a payment card"},
          {"PRESCRIPTION_NUMBER", "Number of a medical prescription"},
          {"ORDER_NUMBER", "Number of an order or a parcel"},
          {"BANK_ACCOUNT", "Number of a bank account"},
          {"DRIVER_LICENSE", "Number of a driver's licence"},
          {"AGE", "Age of a person"},
          {"IP_ADDRESS", "Address of a computer"}};
}

Prompt make(const std::string& kind, const std::string& format = "xml", std::vector<Turn> turns = {}) {
  return Prompt({.kind = kind, .turns = std::move(turns)}, *make_output_format(format, usual_labels()), usual_labels());
}

std::size_t num_characters(const std::vector<Turn>& turns) {
  std::size_t sum = 0;
  for (const Turn& turn : turns) sum += turn.text.size();
  return sum;
}

class EveryFormatsPrompt : public testing::TestWithParam<std::string> {};
INSTANTIATE_TEST_SUITE_P(Formats, EveryFormatsPrompt, testing::ValuesIn(output_format_names()),
                         [](const auto& param) { return param.param; });

TEST_P(EveryFormatsPrompt, ExplainHasFiveUserTurnsAndEndsWithTheText) {
  const std::vector<Turn> turns = make("explain", GetParam()).turns_for("Some {text} with {labels}.");
  ASSERT_EQ(turns.size(), 9U);
  for (std::size_t i = 0; i < turns.size(); ++i) {
    EXPECT_EQ(turns[i].role, i % 2 == 0 ? Role::user : Role::assistant);
    EXPECT_FALSE(turns[i].text.empty());
  }
  EXPECT_EQ(turns.back().text, "Some {text} with {labels}.");
  for (const Label& label : usual_labels()) {
    EXPECT_NE(turns[0].text.find("- " + label.name + ": " + label.description + "\n"), std::string::npos) << label.name;
  }
  const auto format = make_output_format(GetParam(), usual_labels());
  EXPECT_NE(turns[0].text.find(format->instruction()), std::string::npos);
  // The shown answer is what the format makes of the shown text.
  const Example example = make_worked_example(*format, usual_labels());
  EXPECT_EQ(turns[2].text, example.text);
  EXPECT_EQ(turns[3].text, format->render(example));
  EXPECT_EQ(format->parse(turns[3].text, turns[2].text).raw(), example.entities);
  EXPECT_GE(example.entities.size(), 3U);
  // About 500 to 700 tokens of four characters.
  const std::size_t size = num_characters(turns);
  EXPECT_GT(size, 1800U);
  EXPECT_LT(size, 3500U);
}

TEST_P(EveryFormatsPrompt, ExplanationNamesEveryEntity) {
  const auto format = make_output_format(GetParam(), usual_labels());
  const Example example = make_worked_example(*format, usual_labels());
  const std::string explanation = make("explain", GetParam()).turns_for("x")[5].text;
  const CodePointIndex index(example.text);
  for (const Entity& entity : example.entities) {
    EXPECT_NE(explanation.find(index.slice(entity.start, entity.end)), std::string::npos);
    EXPECT_NE(explanation.find(entity.label), std::string::npos);
    if (GetParam() != "json") continue;
    EXPECT_NE(explanation.find("from " + std::to_string(entity.start) + " to " + std::to_string(entity.end)),
              std::string::npos);
  }
}

TEST_P(EveryFormatsPrompt, WorkedExampleFitsAnyLabelList) {
  const std::vector<LabelList> lists = {
      {{"PERSON", ""}},
      {{"person", ""}, {"creative-work", ""}, {"corporation", ""}, {"group", ""}, {"product", ""}, {"location", ""}},
      {{"DATE", ""}, {"LOC", ""}},
      {{"US_SSN", ""}},
      {{"PRESCRIPTION_NUMBER", ""}, {"ORDER_NUMBER", ""}, {"BANK_ACCOUNT", ""}},
      {{"A", ""}, {"FIELD", ""}}};
  for (const LabelList& labels : lists) {
    const auto format = make_output_format(GetParam(), labels);
    const Example example = make_worked_example(*format, labels);
    EXPECT_EQ(format->why_not(example), std::nullopt) << labels[0].name;
    EXPECT_FALSE(example.entities.empty());
    EXPECT_LE(example.entities.size(), 3U);
    EXPECT_EQ(Prompt({}, *format, labels).turns_for("t").size(), 9U);
  }
}

TEST(WorkedExample, UnlistedLabelsStayUnmarked) {
  const LabelList labels = {{"EMAIL", ""}};
  const Example example = make_worked_example(*make_output_format("json", labels), labels);
  ASSERT_EQ(example.entities.size(), 1U);
  EXPECT_EQ(CodePointIndex(example.text).slice(example.entities[0].start, example.entities[0].end), "ida@mail.example");
}

TEST(WorkedExample, MadeFromNamesByHand) {
  const LabelList labels = {{"ORDER_NUMBER", ""}, {"bank-account", ""}, {"X", ""}};
  const Example example = make_worked_example(*make_output_format("xml", labels), labels);
  EXPECT_EQ(example.text, "Field order number: K-2071; field bank account: K-2072.");
  EXPECT_EQ(example.entities, (std::vector<Entity>{{20, 26, "ORDER_NUMBER"}, {48, 54, "bank-account"}}));
}

TEST(Prompt, MinimalIsOneTurnThatEndsWithTheText) {
  const std::vector<Turn> turns = make("minimal").turns_for("A {text}.");
  ASSERT_EQ(turns.size(), 1U);
  EXPECT_EQ(turns[0].role, Role::user);
  EXPECT_TRUE(turns[0].text.ends_with("\nA {text}."));
  EXPECT_NE(turns[0].text.find("- AGE: Age of a person\n"), std::string::npos);
}

TEST(Prompt, OwnTurnsByHand) {
  const Prompt prompt = make("turns", "xml",
                             {{Role::system, "Labels:\n{labels}"},
                              {Role::user, "{\"a\": 1} {A} {} {example}"},
                              {Role::assistant, "{example_answer}"},
                              {Role::user, "Now: {text} ({instruction})"}});
  const auto format = make_output_format("xml", usual_labels());
  const Example example = make_worked_example(*format, usual_labels());
  const std::vector<Turn> turns = prompt.turns_for("{example}");
  EXPECT_EQ(turns[1].text, "{\"a\": 1} {A} {} " + example.text);
  EXPECT_EQ(turns[2].text, format->render(example));
  EXPECT_EQ(turns[3].text, "Now: {example} (" + format->instruction() + ")");
  EXPECT_EQ(prompt.turns_template()[3].text, "Now: {text} ({instruction})");
}

TEST(Prompt, ALabelsDescriptionIsNotExpanded) {
  const LabelList labels = {{"PERSON", "as {text} or {foo}"}};
  const Prompt prompt({.kind = "turns", .turns = {{Role::user, "{labels} {text}"}}}, *make_output_format("xml", labels),
                      labels);
  EXPECT_EQ(prompt.turns_for("T")[0].text, "- PERSON: as {text} or {foo} T");
}

// What draft-prompt prints stands in one recipe for all cells of a study, whatever their formats and label lists.
TEST(Prompt, ATemplateIsTheRecipesTurnsForEveryFormatAndLabelList) {
  const LabelList fewer = {{"GPE", "Country"}, {"US_SSN", "as {text} or {foo}"}};
  for (const std::string kind : {"explain", "minimal"}) {
    const std::vector<Turn> turns = make(kind, "xml").turns_template();
    for (const std::string& name : output_format_names()) {
      EXPECT_EQ(make("turns", name, turns).turns_for("Ann {x}"), make(kind, name).turns_for("Ann {x}")) << name;
      EXPECT_EQ(make(kind, name).turns_template(), turns);
      const auto format = make_output_format(name, fewer);
      const Prompt of_fewer({.kind = kind, .turns = {}}, *format, fewer);
      EXPECT_EQ(of_fewer.turns_template(), turns);
      EXPECT_EQ(Prompt({.kind = "turns", .turns = turns}, *format, fewer).turns_for("T"), of_fewer.turns_for("T"));
    }
  }
  const std::vector<Turn> own = {
      {Role::user, "{labels}"}, {Role::assistant, "ok"}, {Role::user, "{text} {instruction}"}};
  EXPECT_EQ(make("turns", "xml", own).turns_template(), own);
}

TEST(Prompt, TheTemplateOfExplainHoldsEveryPlaceholder) {
  std::string all;
  for (const Turn& turn : make("explain").turns_template()) all += turn.text;
  for (const std::string name : {"text", "labels", "instruction", "example", "example_answer", "explanation"}) {
    EXPECT_NE(all.find("{" + name + "}"), std::string::npos) << name;
  }
}

TEST(Prompt, TurnsBeforeAnAnswer) {
  const Prompt prompt = make("explain");
  const std::vector<Turn> all = prompt.turns_for("T");
  for (int n = 0; n < 4; ++n) {
    const std::vector<Turn> turns = prompt.turns_before_answer(n);
    ASSERT_EQ(turns.size(), static_cast<std::size_t>(2 * n + 1));
    EXPECT_TRUE(std::equal(turns.begin(), turns.end(), all.begin()));
    EXPECT_EQ(turns.back().role, Role::user);
  }
  EXPECT_THROW(prompt.turns_before_answer(4), std::out_of_range);
  EXPECT_THROW(prompt.turns_before_answer(-1), std::out_of_range);
  EXPECT_THROW(make("minimal").turns_before_answer(0), InputError);
}

TEST(Prompt, UnusableTurnsAreRefused) {
  const auto message = [](std::vector<Turn> turns) -> std::string {
    try {
      make("turns", "xml", std::move(turns));
    } catch (const InputError& error) {
      return error.what();
    }
    return "accepted";
  };

  const Turn text = {Role::user, "{text}"};
  EXPECT_EQ(message({text}), "accepted");
  EXPECT_NE(message({}).find("at least one turn"), std::string::npos);
  EXPECT_NE(message({{Role::user, "hello"}}).find("turn 1: expected {text}"), std::string::npos);
  EXPECT_NE(message({{Role::user, "{text} {text}"}}).find("a second one"), std::string::npos);
  EXPECT_NE(message({{Role::user, "{text}"}, {Role::assistant, "ok"}, text}).find("turn 1: expected {text} once"),
            std::string::npos);
  EXPECT_NE(message({{Role::user, "{txet} {text}"}}).find("found {txet}"), std::string::npos);
  EXPECT_NE(message({text, {Role::assistant, "ok"}}).find("last turn"), std::string::npos);
  EXPECT_NE(message({text, text}).find("turn 1"), std::string::npos);
  EXPECT_NE(message({{Role::assistant, "ok"}, text}).find("expected the role user"), std::string::npos);
  EXPECT_NE(message({{Role::user, "a"}, {Role::system, "b"}, text}).find("found system"), std::string::npos);
  EXPECT_NE(message({{Role::system, "b"}}).find("last turn"), std::string::npos);
  EXPECT_NE(message({{Role::user, "a"}, {Role::assistant, ""}, text}).find("turn 2: expected some text"),
            std::string::npos);
  EXPECT_THROW(make("five"), InputError);
}

TEST(DraftedTurn, ByHand) {
  EXPECT_EQ(drafted_turn("Understood.\nI will."), "Understood.\nI will.");
  EXPECT_EQ(drafted_turn(" \n\tUnderstood. \n \n"), "Understood.");
  EXPECT_EQ(drafted_turn("a\r\nb\x1B[1mc\x7F\tz"), "a\nb[1mc z");
  EXPECT_EQ(drafted_turn("\uFEFFl\u0085m\u2028n\u0080"), "l\nm\nn");
  EXPECT_EQ(drafted_turn("cut here: \xF0\x9F\x98"), "cut here:");
  EXPECT_EQ(drafted_turn("a\xFF\xC3z \xED\xA0\x80"), "az");
  EXPECT_EQ(drafted_turn("Zo\u00EB \U0001F600"), "Zo\u00EB \U0001F600");
  EXPECT_EQ(drafted_turn(""), "");
  EXPECT_EQ(drafted_turn(" \n\x01\xF0\x9F"), "");
  EXPECT_EQ(drafted_turn("{text} {{labels}} {A} {} {a b} {foo}"), "{ text} {{ labels}} {A} {} {a b} { foo}");
  // What is dropped must not leave a placeholder behind.
  EXPECT_EQ(drafted_turn("{te\x01xt}"), "{ text}");
}

TEST(DraftedTurn, AnyBytesMakeATurnThatIsReadToTheLetter) {
  const std::vector<std::string> pieces = {"{",    "}",      "text",       "labels", "a",    " ",    "\n",
                                           "\r",   "\t",     "\x01",       "\xF0",   "\x9F", "\xC3", "\xA9",
                                           "\xFF", "\u2028", "\U0001F600", "_",      ":",    "#"};
  Random random(7);
  int kept = 0;
  for (int round = 0; round < 2000; ++round) {
    std::string generated;
    for (std::int64_t n = random.below(12); n > 0; --n) generated += random.choice(pieces);
    const std::string turn = drafted_turn(generated);
    if (turn.empty()) continue;
    ++kept;
    EXPECT_NO_THROW(CodePointIndex{turn});
    EXPECT_EQ(drafted_turn(turn), turn);
    const std::vector<Turn> turns = {{Role::user, "x"}, {Role::assistant, turn}, {Role::user, "{text}"}};
    EXPECT_EQ(make("turns", "xml", turns).turns_for("T")[1].text, turn);
  }
  EXPECT_GT(kept, 1000);
}

TEST(Role, Names) {
  EXPECT_EQ(name_of(Role::system), "system");
  EXPECT_EQ(name_of(Role::user), "user");
  EXPECT_EQ(name_of(Role::assistant), "assistant");
}

}  // namespace
}  // namespace entune
