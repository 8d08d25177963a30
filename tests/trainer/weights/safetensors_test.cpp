#include <ATen/ATen.h>
#include <gmock/gmock.h>

#include <cstring>
#include <limits>
#include <random>

#include "tests/support/temporary_directory.h"
#include "trainer/weights/safetensors_reader.h"
#include "trainer/weights/safetensors_writer.h"

namespace entune {
namespace {

using test::bytes_of;
using test::input_error_of;
using test::TemporaryDirectory;
using ::testing::HasSubstr;

std::string file_of(const std::string& json, const std::string& data) {
  return bytes_of<std::uint64_t>(json.size()) + json + data;
}

std::string error_of_header(const std::string& json, std::uint64_t data_bytes) {
  return input_error_of([&] { parse_safetensors_header(json, data_bytes, "m.safetensors"); });
}

TEST(SafetensorsHeader, ReadsTensorsAndMetadata) {
  const auto header = parse_safetensors_header(
      R"({"__metadata__":{"format":"pt"},"b":{"dtype":"BF16","shape":[2,3],"data_offsets":[4,16]},
          "a":{"data_offsets":[0,4],"shape":[],"dtype":"F32"},"empty":{"dtype":"U8","shape":[0,7],"data_offsets":[4,4]}}  )",
      16, "m");
  EXPECT_EQ(header.metadata, (std::map<std::string, std::string>{{"format", "pt"}}));
  EXPECT_EQ(header.tensors.at("b"), (SafetensorsEntry{"BF16", {2, 3}, 4, 16}));
  EXPECT_EQ(header.tensors.at("a"), (SafetensorsEntry{"F32", {}, 0, 4}));
  EXPECT_EQ(header.tensors.at("empty"), (SafetensorsEntry{"U8", {0, 7}, 4, 4}));
}

struct BadHeader {
  const char* name;
  const char* json;
  std::uint64_t data_bytes;
  const char* message;
};

class SafetensorsBadHeader : public ::testing::TestWithParam<BadHeader> {};

TEST_P(SafetensorsBadHeader, IsRefused) {
  EXPECT_THAT(error_of_header(GetParam().json, GetParam().data_bytes), HasSubstr(GetParam().message));
}

INSTANTIATE_TEST_SUITE_P(
    Rules, SafetensorsBadHeader,
    ::testing::Values(
        BadHeader{"Empty", "", 0, "begins with"}, BadHeader{"Array", "[]", 0, "begins with"},
        BadHeader{"BrokenJson", R"({"a":)", 0, "valid JSON"}, BadHeader{"TrailingText", R"({} x)", 0, "valid JSON"},
        BadHeader{"ProductOverflows",
                  R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,1000000000000]}})", 16,
                  "overflows"},
        BadHeader{"ProductWrapsToTheRightSize",
                  R"({"a":{"dtype":"U8","shape":[4294967296,4294967296],"data_offsets":[0,0]}})", 0, "overflows"},
        BadHeader{"NineDimensions", R"({"a":{"dtype":"U8","shape":[1,1,1,1,1,1,1,1,1],"data_offsets":[0,1]}})", 1,
                  "at most 8"},
        BadHeader{
            "TwoOnTheSameBytes",
            R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})",
            4, "overlap"},
        BadHeader{
            "Hole",
            R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[4],"data_offsets":[5,9]}})",
            9, "hole"},
        BadHeader{"DoesNotBeginAtZero", R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}})", 5,
                  "begin at byte 0"},
        BadHeader{"DataNotCovered", R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 5,
                  "expected 4 bytes of data"},
        BadHeader{"BeyondTheData", R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]}})", 3,
                  "expected 4 bytes of data"},
        BadHeader{"EndBeforeBegin", R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[4,0]}})", 4,
                  "data_offsets [4, 0)"},
        BadHeader{"SizeDiffers", R"({"a":{"dtype":"BF16","shape":[4],"data_offsets":[0,4]}})", 4, "expected 8 bytes"},
        BadHeader{
            "TensorTwice",
            R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]},"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})",
            0, "'a' twice"},
        BadHeader{"FieldTwice", R"({"a":{"dtype":"U8","dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0,
                  "'dtype' once"},
        BadHeader{"MetadataTwice", R"({"__metadata__":{},"__metadata__":{}})", 0, "__metadata__ once"},
        BadHeader{"MetadataKeyTwice", R"({"__metadata__":{"x":"1","x":"2"}})", 0, "one twice"},
        BadHeader{"MetadataOfNumbers", R"({"__metadata__":{"x":1}})", 0, "a number where"},
        BadHeader{"FieldMissing", R"({"a":{"dtype":"U8","shape":[0]}})", 0, "found 2 of them"},
        BadHeader{"FieldUnknown", R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0],"x":1}})", 0, "another key"},
        BadHeader{"ThreeOffsets", R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0,0,0]}})", 0, "a number where"},
        BadHeader{"OneOffset", R"({"a":{"dtype":"U8","shape":[0],"data_offsets":[0]}})", 0, "found 1"},
        BadHeader{"NegativeSize", R"({"a":{"dtype":"U8","shape":[-1],"data_offsets":[0,0]}})", 0, "a negative number"},
        BadHeader{"FractionalSize", R"({"a":{"dtype":"U8","shape":[1.5],"data_offsets":[0,0]}})", 0, "not an integer"},
        BadHeader{"SizeAbove63Bits", R"({"a":{"dtype":"U8","shape":[18446744073709551615],"data_offsets":[0,0]}})", 0,
                  "above 2^63"},
        BadHeader{"NestedShape", R"({"a":{"dtype":"U8","shape":[[1]],"data_offsets":[0,1]}})", 1, "an array where"},
        BadHeader{"UnknownDtype", R"({"a":{"dtype":"F33","shape":[1],"data_offsets":[0,4]}})", 4, "dtype"},
        BadHeader{"NameWithSlash", R"({"../a":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0, "tensor names"},
        BadHeader{"NameEmpty", R"({"":{"dtype":"U8","shape":[0],"data_offsets":[0,0]}})", 0, "tensor names"},
        BadHeader{"TensorIsNull", R"({"a":null})", 0, "null where"},
        BadHeader{"TensorIsNumber", R"({"a":3})", 0, "a number where"}),
    [](const auto& info) { return info.param.name; });

TEST(SafetensorsHeader, DeepNestingIsRefusedWithoutRecursion) {
  EXPECT_THAT(error_of_header(R"({"a":)" + std::string(200'000, '['), 0), HasSubstr("an array where"));
  std::string objects;
  for (int i = 0; i < 100'000; ++i) {
    objects += R"({"a":)";
  }
  EXPECT_THAT(error_of_header(objects, 0), HasSubstr("expected dtype, shape and data_offsets"));
}

TEST(SafetensorsReader, RefusesLengthsBeyondTheFile) {
  const TemporaryDirectory directory;
  const auto path = directory / "m.safetensors";
  const auto error = [&](const std::string& bytes) {
    test::write_file(path, bytes);
    return input_error_of([&] { SafetensorsReader reader(path); });
  };
  EXPECT_THAT(error("1234567"), HasSubstr("7 bytes"));
  EXPECT_THAT(error(bytes_of(std::uint64_t{3}) + "{}"), HasSubstr("length of 3"));
  EXPECT_THAT(error(bytes_of(std::uint64_t{1} << 63) + "{}"), HasSubstr("length of 9223372036854775808"));
  EXPECT_THAT(error(bytes_of(std::numeric_limits<std::uint64_t>::max()) + "{}"), HasSubstr("length of"));
  EXPECT_THAT(input_error_of([&] { SafetensorsReader reader(directory / "none"); }), HasSubstr("No such file"));
  EXPECT_THAT(input_error_of([&] { SafetensorsReader reader(directory.path()); }), HasSubstr("regular file"));
}

TEST(SafetensorsReader, NeverCrashesOnMutatedFiles) {
  const TemporaryDirectory directory;
  const auto path = directory / "m.safetensors";
  const std::string good = file_of(
      R"({"a":{"dtype":"F32","shape":[2,2],"data_offsets":[0,16]},"b":{"dtype":"BF16","shape":[2],"data_offsets":[16,20]}})",
      std::string(20, '\x11'));
  std::mt19937 random(7);
  int accepted = 0;
  for (int round = 0; round < 300; ++round) {
    std::string bytes = good;
    for (int i = 0; i <= round % 3; ++i) {
      bytes[random() % bytes.size()] = static_cast<char>(random());
    }
    if (round % 5 == 0) {
      bytes.resize(random() % bytes.size());
    }
    test::write_file(path, bytes);
    try {
      const SafetensorsReader reader(path);
      std::uint64_t covered = 0;
      for (const auto& [name, entry] : reader.header().tensors) {
        covered += entry.end - entry.begin;
        if (entry.dtype == "F32" && entry.shape == std::vector<std::int64_t>{2, 2}) {
          reader.read(name, {}, at::empty({2, 2}));
        }
      }
      EXPECT_EQ(covered, 20U);
      ++accepted;
    } catch (const InputError&) {
    }
  }
  EXPECT_GT(accepted, 0);  // damage of the data alone cannot be seen
}

TEST(SafetensorsWriter, WritesTheBytesTheFormatDefines) {
  const TemporaryDirectory directory;
  const auto path = directory / "m.safetensors";
  SafetensorsWriter writer(path, {{"half", at::kBFloat16, {2}}, {"b", at::kFloat, {1}}, {"a", at::kFloat, {}}});
  writer.write("half", at::tensor({1.0F, -2.0F}));
  writer.write("a", at::full({}, 0.5F));
  writer.write("b", at::tensor({3.0F}));
  EXPECT_FALSE(std::filesystem::exists(path));
  writer.finish();
  const std::string bytes = test::read_file(path);
  std::uint64_t header_bytes = 0;
  std::memcpy(&header_bytes, bytes.data(), 8);
  EXPECT_EQ(header_bytes % 8, 0U);
  std::string json = bytes.substr(8, header_bytes);
  json.erase(json.find_last_not_of(' ') + 1);
  EXPECT_EQ(
      json,
      R"({"__metadata__":{"format":"pt"},"a":{"dtype":"F32","shape":[],"data_offsets":[0,4]},)"
      R"("b":{"dtype":"F32","shape":[1],"data_offsets":[4,8]},"half":{"dtype":"BF16","shape":[2],"data_offsets":[8,12]}})");
  EXPECT_EQ(bytes.substr(8 + header_bytes),
            bytes_of(0.5F) + bytes_of(3.0F) + bytes_of(std::uint16_t{0x3f80}) + bytes_of(std::uint16_t{0xc000}));
  EXPECT_EQ(std::distance(std::filesystem::directory_iterator(directory.path()), {}), 1);  // nothing temporary is left
}

TEST(SafetensorsWriter, AFileThatIsNotFinishedNeverAppears) {
  const TemporaryDirectory directory;
  {
    SafetensorsWriter writer(directory / "m.safetensors", {{"a", at::kFloat, {4}}});
    writer.write_rows("a", 0, at::zeros({2}));
    EXPECT_THROW(writer.finish(), c10::Error);
  }
  EXPECT_TRUE(std::filesystem::is_empty(directory.path()));
}

class SafetensorsShards : public ::testing::TestWithParam<at::ScalarType> {};

TEST_P(SafetensorsShards, EachRankGetsItsRowsOrColumnsAndZerosAsPadding) {
  const TemporaryDirectory directory;
  const auto path = directory / "m.safetensors";
  at::manual_seed(1);
  const at::Tensor matrix = at::randn({7, 5}).to(GetParam());
  const at::Tensor vector = at::randn({7}).to(GetParam());
  {
    SafetensorsWriter writer(path, {{"matrix", GetParam(), {7, 5}}, {"vector", GetParam(), {7}}});
    writer.write_rows("matrix", 3, matrix.narrow(0, 3, 4));  // pieces may come in any order
    writer.write_rows("matrix", 0, matrix.narrow(0, 0, 3));
    writer.write("vector", vector);
    writer.finish();
  }
  const SafetensorsReader reader(path);
  for (const at::ScalarType to : {at::kFloat, at::kBFloat16}) {
    for (const std::int64_t ranks : {1, 2, 3, 4}) {
      for (std::int64_t rank = 0; rank < ranks; ++rank) {
        for (const std::int64_t dim : {-1, 0, 1}) {
          const Shard shard{dim, rank, ranks};
          const at::Tensor padded = at::constant_pad_nd(matrix, {0, 8, 0, 8}).to(to);
          const at::Tensor expected = dim == -1 ? matrix.to(to)
                                      : dim == 0
                                          ? padded.narrow(0, rank * shard.part(7), shard.part(7)).narrow(1, 0, 5)
                                          : padded.narrow(1, rank * shard.part(5), shard.part(5)).narrow(0, 0, 7);
          at::Tensor part = at::full(expected.sizes(), 99.0, to);
          std::int64_t bytes = 0;
          reader.read("matrix", shard, part, [&](std::int64_t more) { bytes += more; });
          EXPECT_TRUE(at::equal(part, expected)) << "dim " << dim << " rank " << rank << " of " << ranks;
          EXPECT_EQ(bytes, shard_bytes(reader.header().tensors.at("matrix"), shard));
        }
        const Shard shard{0, rank, ranks};
        at::Tensor part = at::full({shard.part(7)}, 99.0, to);
        reader.read("vector", shard, part);
        const at::Tensor padded = at::constant_pad_nd(vector, {0, 8}).to(to);
        EXPECT_TRUE(at::equal(part, padded.narrow(0, rank * shard.part(7), shard.part(7))));
      }
    }
  }
}

INSTANTIATE_TEST_SUITE_P(Dtypes, SafetensorsShards, ::testing::Values(at::kFloat, at::kBFloat16, at::kHalf));

TEST(SafetensorsReader, ReadsTensorsLargerThanAPiece) {
  const TemporaryDirectory directory;
  const auto path = directory / "m.safetensors";
  // 8 MiB are 2,097,152 floats: the first tensor takes several pieces of rows, the second several pieces of one row.
  const at::Tensor tall = at::arange(3'000'000, at::kFloat).view({1500, 2000});
  const at::Tensor wide = at::arange(5'000'000, at::kFloat).view({2, 2'500'000});
  SafetensorsWriter writer(path, {{"tall", at::kFloat, {1500, 2000}}, {"wide", at::kFloat, {2, 2'500'000}}});
  writer.write("tall", tall);
  writer.write("wide", wide);
  writer.finish();
  const SafetensorsReader reader(path);
  at::Tensor columns = at::empty({1500, 1000});
  reader.read("tall", {1, 1, 2}, columns);
  EXPECT_TRUE(at::equal(columns, tall.narrow(1, 1000, 1000)));
  at::Tensor all = at::empty({2, 2'500'000});
  reader.read("wide", {}, all);
  EXPECT_TRUE(at::equal(all, wide));
}

TEST(SafetensorsReader, RefusesByNameWhatDoesNotFit) {
  const TemporaryDirectory directory;
  const auto path = directory / "m.safetensors";
  SafetensorsWriter writer(path, {{"a", at::kFloat, {2, 3}}, {"ids", at::kLong, {2}}});
  writer.write("a", at::zeros({2, 3}));
  writer.write("ids", at::zeros({2}, at::kLong));
  writer.finish();
  const SafetensorsReader reader(path);
  EXPECT_THAT(input_error_of([&] { reader.read("b", {}, at::empty({2, 3})); }), HasSubstr("'b'"));
  EXPECT_THAT(input_error_of([&] { reader.read("a", {}, at::empty({3, 2})); }), HasSubstr("[2, 3]"));
  EXPECT_THAT(input_error_of([&] { reader.read("ids", {}, at::empty({2})); }), HasSubstr("I64"));
  EXPECT_THAT(input_error_of([&] { reader.expect("a", {2, 4}); }), HasSubstr("expected shape [2, 4]"));
  // The file is cut while it is open.
  std::filesystem::resize_file(path, std::filesystem::file_size(path) - 20);
  EXPECT_THAT(input_error_of([&] { reader.read("a", {}, at::empty({2, 3})); }), HasSubstr("end of the file"));
}

}  // namespace
}  // namespace entune
