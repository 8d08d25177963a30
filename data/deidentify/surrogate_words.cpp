#include "data/deidentify/surrogate_words.h"

#include <utf8.h>

#include <algorithm>
#include <cctype>
#include <vector>

#include "data/deidentify/surrogates.h"

namespace entune {
namespace {

/// A stretch of a value: a word (letters, with apostrophes inside), a number (digits) or what stands between.
struct Piece {
  enum class Kind { word, number, between };
  Kind kind;
  std::string text;
};

Piece::Kind kind_of(char32_t c) {
  if (c >= '0' && c <= '9') return Piece::Kind::number;
  const bool ascii_letter = c < 0x80 && std::isalpha(static_cast<int>(c)) != 0;
  const bool separates = c == 0xA0 || (c >= 0x2000 && c <= 0x206F) || (c >= 0x3000 && c <= 0x3003);
  return ascii_letter || (c >= 0x80 && !separates) ? Piece::Kind::word : Piece::Kind::between;
}

std::vector<Piece> pieces_of(std::string_view value) {
  std::vector<Piece> pieces;
  for (auto at = value.begin(); at != value.end();) {
    const auto begin = at;
    const char32_t c = utf8::next(at, value.end());
    Piece::Kind kind = kind_of(c);
    const bool inside = (c == '\'' || c == 0x2019) && !pieces.empty() && pieces.back().kind == Piece::Kind::word;
    if (inside && at != value.end() && kind_of(utf8::peek_next(at, value.end())) == Piece::Kind::word)
      kind = Piece::Kind::word;
    if (pieces.empty() || pieces.back().kind != kind) pieces.push_back({kind, {}});
    pieces.back().text.append(begin, at);
  }
  return pieces;
}

bool holds(const WordList& words, const std::string& folded) {
  return std::any_of(words.begin(), words.end(), [&](std::string_view word) { return folded_value(word) == folded; });
}

/// Words that say nothing of who or where.
bool stays(const std::string& kind, const std::string& word) {
  static const WordList titles = {"dr", "mr", "mrs", "ms", "miss", "prof", "sir", "jr",
                                  "sr", "ii", "iii", "iv", "md",   "phd",  "rn"};
  static const WordList legal = {"inc",      "llc",     "ltd",    "corp",    "corporation", "llp",        "gmbh",
                                 "ag",       "company", "co",     "group",   "partners",    "associates", "hospital",
                                 "clinic",   "bank",    "center", "medical", "university",  "college",    "school",
                                 "pharmacy", "and",     "of",     "the"};
  static const WordList parts = {"apt", "suite", "ste", "unit", "fl", "floor", "room", "box", "po", "p", "o"};
  const std::string folded = folded_value(word);
  if (kind == "person") return holds(titles, folded);
  if (kind == "organization") return holds(legal, folded);
  return kind == "address" && (holds(parts, folded) || holds(street_suffixes(), folded));
}

/// What stands behind a name alone: "Md" before one is a given name.
bool only_behind_a_name(const std::string& word) {
  static const WordList letters = {"jr", "sr", "ii", "iii", "iv", "md", "phd", "rn"};
  return holds(letters, folded_value(word));
}

/// Whether it is written in another script than Latin.
bool is_other_script(const std::string& word) {
  return std::any_of(word.begin(), word.end(), [](unsigned char c) { return c >= 0xCD; }) &&
         std::none_of(word.begin(), word.end(), [](unsigned char c) { return c < 0x80 && std::isalpha(c) != 0; });
}

/// A city's name in ASCII letters, or its state.
std::string_view in_place(bool is_state, Random& random) {
  while (true) {
    const City& city = random.choice(cities());
    if (is_state) return city.state;
    if (std::all_of(city.name.begin(), city.name.end(), [](unsigned char c) { return c < 0x80; })) return city.name;
  }
}

bool is_initial(const std::string& word) { return utf8::distance(word.begin(), word.end()) == 1; }

}  // namespace

LetterCase letter_case(std::string_view text) {
  const auto count = [&](int (*is)(int)) {
    return std::count_if(text.begin(), text.end(), [&](unsigned char c) { return c < 0x80 && is(c) != 0; });
  };
  const auto large = count(std::isupper), small = count(std::islower);
  if (small == 0 && large > 1) return LetterCase::capitals;
  const auto first =
      std::find_if(text.begin(), text.end(), [](unsigned char c) { return c >= 0x80 || std::isalpha(c); });
  const bool begins_small = first != text.end() && static_cast<unsigned char>(*first) < 0x80;
  return large == 0 && small > 0 && begins_small ? LetterCase::small : LetterCase::mixed;
}

std::string in_case(std::string_view text, LetterCase wanted) {
  std::string result(text);
  for (char& c : result) {
    const auto byte = static_cast<unsigned char>(c);
    if (byte >= 0x80 || wanted == LetterCase::mixed) continue;
    c = static_cast<char>(wanted == LetterCase::capitals ? std::toupper(byte) : std::tolower(byte));
  }
  return result;
}

std::string_view one_word(const WordList& words, Random& random) {
  while (true) {
    const std::string_view word = random.choice(words);
    if (std::all_of(word.begin(), word.end(), [](unsigned char c) { return c < 0x80 && std::isalpha(c) != 0; }))
      return word;
  }
}

std::optional<std::string> person_form(const std::string& value, const PartRandom& random) {
  std::vector<Piece> pieces = pieces_of(value);
  std::size_t last = pieces.size();  // the last name's
  bool comes_first = false;          // "Last, First"
  std::vector<bool> is_name(pieces.size(), false);
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    if (pieces[i].kind == Piece::Kind::between && pieces[i].text.find(',') != std::string::npos && last < pieces.size())
      comes_first = true;
    const bool is_behind = std::find(is_name.begin(), is_name.end(), true) != is_name.end();
    is_name[i] = pieces[i].kind == Piece::Kind::word &&
                 (!stays("person", pieces[i].text) || (only_behind_a_name(pieces[i].text) && !is_behind));
    if (is_name[i] && !comes_first) last = i;
  }
  const auto names = std::count(is_name.begin(), is_name.end(), true);
  if (names == 0) return std::nullopt;
  std::string text;
  for (std::size_t i = 0; i < pieces.size(); ++i) {
    const Piece& piece = pieces[i];
    if (piece.kind == Piece::Kind::between || (piece.kind == Piece::Kind::word && !is_name[i])) {
      text += piece.text;
      continue;
    }
    Random own = random(piece.text);
    if (piece.kind == Piece::Kind::number || is_initial(piece.text) || is_other_script(piece.text)) {
      text += *surrogate_form("", piece.text, [&](std::string_view) { return own; });
      continue;
    }
    // A name that stands alone is a last name where it is known as one.
    const bool is_last = names > 1 ? i == last : holds(last_names(), folded_value(piece.text));
    text += in_case(one_word(is_last ? last_names() : first_names(), own), letter_case(piece.text));
  }
  return text;
}

std::optional<std::string> named_place_form(const std::string& kind, const std::string& value, Random& random) {
  const std::vector<Piece> pieces = pieces_of(value);
  std::string text;
  bool in_name = false;                // its first word is replaced
  bool is_street = kind == "address";  // an address's first name
  bool replaced = false;
  for (const Piece& piece : pieces) {
    // A street's first word is its name, also where it could be what streets are called ("Court St").
    const bool is_named_so = is_street && holds(street_suffixes(), folded_value(piece.text));
    const bool is_word = piece.kind == Piece::Kind::word && (is_named_so || !stays(kind, piece.text));
    if (piece.kind == Piece::Kind::number || (is_word && (is_initial(piece.text) || is_other_script(piece.text)))) {
      text += *surrogate_form("", piece.text, [&](std::string_view) { return Random(random.next()); });
      in_name = false;
      replaced = true;
    } else if (!is_word) {
      text += piece.text;
      in_name = in_name && piece.text == " ";
    } else if (in_name && kind == "organization") {
      text += in_case(one_word(trades(), random), letter_case(piece.text));
    } else if (in_name) {
      text.pop_back();  // the space before a further word of the name
    } else {
      const bool is_state = piece.text.size() == 2 && (kind == "city" ? pieces.size() == 1 : !is_street);
      const std::string_view name = kind == "organization" ? one_word(firm_words(), random)
                                    : is_street            ? one_word(street_names(), random)
                                                           : in_place(is_state, random);
      text += in_case(name, letter_case(piece.text));
      in_name = replaced = true;
      is_street = false;
    }
  }
  return replaced ? std::optional(text) : std::nullopt;
}

std::set<std::string> replaced_words(const std::string& kind, std::string_view value) {
  std::set<std::string> words;
  for (const Piece& piece : pieces_of(value)) {
    if (piece.kind == Piece::Kind::word && !stays(kind, piece.text) && !is_initial(piece.text) && piece.text.size() > 2)
      words.insert(folded_value(piece.text));
  }
  return words;
}

}  // namespace entune
