#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <fstream>
#include <sstream>

#include "data/documents/document_reader.h"
#include "data/documents/jsonl_output.h"
#include "data/input_error.h"
#include "tests/support/temporary_directory.h"

namespace entune {
namespace {

using testing::AllOf;
using testing::ElementsAre;
using testing::HasSubstr;
using testing::Not;
using Lines = DocumentReader::Lines;
using Existing = JsonlOutput::Existing;

std::string input_error_of(const std::function<void()>& work) {
  try {
    work();
  } catch (const InputError& error) {
    return error.what();
  }
  return "no error";
}

std::vector<std::string> read(const std::string& contents, Lines lines) {
  std::istringstream in(contents);
  DocumentReader reader(in, "in", lines);
  std::vector<std::string> found;
  while (const std::optional<Document> document = reader.next()) found.push_back(document->id + "=" + document->text);
  return found;
}

TEST(DocumentReader, ReadsTextsAndObjects) {
  EXPECT_THAT(read("one\r\n\n{\"text\": 3}", Lines::text), ElementsAre("1=one", "3={\"text\": 3}"));
  EXPECT_THAT(
      read("{\"text\": \"a\\nb\", \"id\": \"x\"}\n{\"id\": 7, \"text\": \"\"}\n{\"text\": \"c\"}\n", Lines::jsonl),
      ElementsAre("x=a\nb", "7=", "3=c"));
  EXPECT_THAT(read("{\"text\": \"a\"}\n{\"text\": \"b\"}\n", Lines::by_first_line), ElementsAre("1=a", "2=b"));
  EXPECT_THAT(read("a\n{\"text\": \"b\"}\n", Lines::by_first_line), ElementsAre("1=a", "2={\"text\": \"b\"}"));
  EXPECT_THAT(read("", Lines::by_first_line), ElementsAre());
}

TEST(DocumentReader, NamesTheLineOfAFaultAndNotItsText) {
  const auto fault = [](const std::string& contents, Lines lines) {
    return input_error_of([&] { read(contents, lines); });
  };
  EXPECT_THAT(fault("{\"text\": \"a\"}\nsecret\n", Lines::jsonl), AllOf(HasSubstr("in:2: "), Not(HasSubstr("secret"))));
  EXPECT_THAT(fault("a\nb\xff\n", Lines::text), HasSubstr("in:2: expected UTF-8"));
  EXPECT_THAT(fault(std::string((16 << 20) + 1, 'x'), Lines::text),
              HasSubstr("in:1: expected a line of at most 16 MiB"));
}

class Output : public testing::Test {
 protected:
  std::string contents() {
    std::ifstream file(path_);
    return {std::istreambuf_iterator<char>(file), {}};
  }
  void put(const std::string& contents) { std::ofstream(path_) << contents; }

  test::TemporaryDirectory directory_;
  std::filesystem::path path_ = directory_.path() / "out.jsonl";
};

TEST_F(Output, IsNewOrReplacedOrRefused) {
  JsonlOutput(path_, Existing::refused).write("{\"id\":\"a\"}");
  EXPECT_EQ(contents(), "{\"id\":\"a\"}\n");
  struct stat status {};
  ASSERT_EQ(stat(path_.c_str(), &status), 0);
  EXPECT_EQ(status.st_mode & 0077, 0u);
  EXPECT_THAT(input_error_of([&] { JsonlOutput(path_, Existing::refused); }),
              AllOf(HasSubstr("--overwrite"), HasSubstr("--resume")));
  EXPECT_EQ(contents(), "{\"id\":\"a\"}\n");
  JsonlOutput(path_, Existing::replaced).write("{\"id\":\"b\"}");
  EXPECT_EQ(contents(), "{\"id\":\"b\"}\n");
  EXPECT_THAT(input_error_of([&] { JsonlOutput(directory_.path() / "no/where", Existing::refused); }),
              HasSubstr("cannot be written"));
  EXPECT_THAT(input_error_of([&] { JsonlOutput("-", Existing::resumed); }), HasSubstr("--resume"));
}

TEST_F(Output, GoesOnBehindTheLastWholeLine) {
  for (const std::string torn : {"", "{\"id\":\"c", "{\"id\":\"c\"}"}) {
    put("{\"id\":\"a\"}\n{\"id\":\"b\"}\n" + torn);
    JsonlOutput output(path_, Existing::resumed);
    EXPECT_TRUE(output.has("a"));
    EXPECT_TRUE(output.has("b"));
    EXPECT_FALSE(output.has("c"));
    output.write("{\"id\":\"c\",\"n\":1}");
    EXPECT_FALSE(output.has("d"));
    output.require_no_more();
    EXPECT_EQ(output.num_resumed(), 2);
    EXPECT_EQ(contents(), "{\"id\":\"a\"}\n{\"id\":\"b\"}\n{\"id\":\"c\",\"n\":1}\n");
  }
  const std::string torn = std::string(10000, 'x');
  put("{\"id\":\"a\"}\n" + torn);
  { JsonlOutput output(path_, Existing::resumed); }
  EXPECT_EQ(contents(), "{\"id\":\"a\"}\n");
  put(torn);
  EXPECT_FALSE(JsonlOutput(path_, Existing::resumed).has("a"));
  EXPECT_EQ(contents(), "");
}

TEST_F(Output, IsNotGoneOnWithForOtherInput) {
  put("{\"id\":\"a\"}\n{\"id\":\"b\"}\nnone\n");
  JsonlOutput output(path_, Existing::resumed);
  EXPECT_TRUE(output.has("a"));
  EXPECT_THAT(input_error_of([&] { output.require_no_more(); }), HasSubstr("out.jsonl:2: "));
  EXPECT_THAT(input_error_of([&] { output.has("c"); }), HasSubstr("out.jsonl:2: expected document c, found b"));
  EXPECT_THAT(input_error_of([&] { output.has("c"); }), HasSubstr("out.jsonl:3: expected a line of an earlier run"));
}

}  // namespace
}  // namespace entune
