#pragma once

#include <cstdint>
#include <filesystem>
#include <fstream>
#include <string>

namespace entune {

/// A file of JSON lines, one for each document of an input and in its order, that a later run can take up where this
/// one was cut off. Every line is an object with the member "id". A line is handed to the system in one piece, at once:
/// what a killed process leaves is whole lines and at most one torn one.
class JsonlOutput {
 public:
  /// What becomes of a file that is there and holds something.
  enum class Existing { refused, replaced, resumed };

  /// "-" is standard output, which cannot be resumed. The file gets mode 0600. Resumed: a torn last line is cut off.
  /// Throws InputError if the file is there under Existing::refused, cannot be written, or is another user's that
  /// others may read. What is no regular file
  /// (/dev/null, a pipe) is simply written to.
  JsonlOutput(const std::filesystem::path& path, Existing existing);
  ~JsonlOutput();
  JsonlOutput(const JsonlOutput&) = delete;
  JsonlOutput& operator=(const JsonlOutput&) = delete;

  /// To be asked for every document of the input, in order, before any write(): whether its line is there already.
  /// Throws InputError "path:line: ..." if the next line that is there is another document's, or none of this kind.
  bool has(const std::string& id);
  /// The input is at its end. Throws InputError if more lines are there than the input has documents.
  void require_no_more();
  /// Lines that has() found.
  std::int64_t num_resumed() const { return num_resumed_; }

  /// One object, without the line break. Throws std::system_error.
  void write(std::string line);

 private:
  std::filesystem::path path_;
  int descriptor_ = -1;
  std::ifstream earlier_;  // open while more of its lines may be there
  std::int64_t num_resumed_ = 0;
};

}  // namespace entune
