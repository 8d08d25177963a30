#include "trainer/weights/file_hash.h"

#include <fmt/format.h>
#include <xxhash.h>

#include <algorithm>
#include <cstdint>
#include <memory>
#include <vector>

#include "trainer/weights/input_file.h"

namespace entune {
namespace {

constexpr std::uint64_t kPieceBytes = std::uint64_t{4} << 20;

std::string hexadecimal(const XXH128_hash_t& hash) { return fmt::format("{:016x}{:016x}", hash.high64, hash.low64); }

}  // namespace

std::string file_hash(const std::filesystem::path& path) {
  const InputFile file(path);
  const std::unique_ptr<XXH3_state_t, decltype(&XXH3_freeState)> state(XXH3_createState(), XXH3_freeState);
  XXH3_128bits_reset(state.get());
  std::vector<char> piece(std::min(file.size_bytes(), kPieceBytes));
  for (std::uint64_t done = 0; done < file.size_bytes();) {
    const std::size_t num_bytes = std::min<std::uint64_t>(piece.size(), file.size_bytes() - done);
    file.read_at(done, piece.data(), num_bytes);
    XXH3_128bits_update(state.get(), piece.data(), num_bytes);
    done += num_bytes;
  }
  return hexadecimal(XXH3_128bits_digest(state.get()));
}

std::string text_hash(std::string_view text) { return hexadecimal(XXH3_128bits(text.data(), text.size())); }

}  // namespace entune
