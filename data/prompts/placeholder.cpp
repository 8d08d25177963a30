#include "data/prompts/placeholder.h"

namespace entune {

std::pair<std::size_t, std::size_t> find_placeholder(std::string_view turn, std::size_t from) {
  for (std::size_t begin = turn.find('{', from); begin != turn.npos; begin = turn.find('{', begin + 1)) {
    const std::size_t end = turn.find_first_not_of("abcdefghijklmnopqrstuvwxyz_", begin + 1);
    if (end != turn.npos && end > begin + 1 && turn[end] == '}') return {begin, end + 1 - begin};
  }
  return {turn.size(), 0};
}

}  // namespace entune
