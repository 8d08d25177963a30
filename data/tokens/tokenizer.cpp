#include "data/tokens/tokenizer.h"

#include <fmt/format.h>

#include "data/input_error.h"
#include "data/tokens/sentencepiece_tokenizer.h"
#include "data/tokens/tokenizer_json.h"

namespace entune {

std::unique_ptr<Tokenizer> load_tokenizer(const std::filesystem::path& model_directory) {
  // tokenizer.model first: where both exist, tokenizer.json is made from it.
  if (std::filesystem::is_regular_file(model_directory / "tokenizer.model"))
    return load_sentencepiece_tokenizer(model_directory);
  const std::filesystem::path file = model_directory / "tokenizer.json";
  if (std::filesystem::is_regular_file(file)) return make_bpe_tokenizer(read_tokenizer_json(file));
  throw InputError(fmt::format(
      "{}: expected tokenizer.model or tokenizer.json, found neither; give a Hugging Face model directory, or make one "
      "by `trainer import`",
      model_directory.string()));
}

}  // namespace entune
