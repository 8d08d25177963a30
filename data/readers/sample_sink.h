#pragma once

#include <cstdint>
#include <filesystem>
#include <map>
#include <optional>
#include <stdexcept>
#include <string>
#include <unordered_map>
#include <vector>

#include "data/corpus.h"

namespace entune {

/// An entity as the file states it: nothing is checked yet.
struct RawEntity {
  std::int64_t start = 0;
  std::int64_t end = 0;
  std::string label;
  std::optional<std::string> value;
};

/// A sample as the file states it. `line` is where it begins, from 1.
struct RawSample {
  std::int64_t line = 0;
  std::optional<std::string> id;
  std::string text;
  std::vector<RawEntity> entities;
  std::string group;
};

/// One sample cannot be used; the ones after it can. what() is the reason without place and without sample text.
class SampleError : public std::runtime_error {
 public:
  SampleError(std::int64_t line, const std::string& why) : std::runtime_error(why), line_(line) {}
  std::int64_t line() const { return line_; }

 private:
  std::int64_t line_;
};

/// The example that a sample is, under this id: its text is UTF-8, its entities lie within it and have the values that
/// they state, if they do; labels by `label_map` (ReaderOptions). Throws SampleError.
Example checked_example(RawSample sample, std::string id,
                        const std::map<std::string, std::optional<std::string>>& label_map);

/// What every reader feeds: checks samples, maps labels, gives ids and keeps the policy on bad samples.
class SampleSink {
 public:
  SampleSink(const std::filesystem::path& path, const ReaderOptions& options);

  /// Takes a sample, or rejects it.
  void add(RawSample sample);
  /// Counts a bad sample; throws InputError "path:line: why" under OnBadSample::fail.
  void reject(const SampleError& error);
  /// Throws InputError if more than max_skipped samples were bad (names the first few), or none is left.
  Corpus finish();

 private:
  Example checked(RawSample sample);
  std::string id_of(const RawSample& sample);

  std::filesystem::path path_;
  const ReaderOptions& options_;
  Corpus corpus_;
  std::unordered_map<std::string, std::int64_t> line_of_id_;
  std::map<std::int64_t, std::int64_t> samples_on_line_;
};

}  // namespace entune
