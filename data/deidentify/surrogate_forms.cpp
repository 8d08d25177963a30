#include "data/deidentify/surrogate_forms.h"

#include <arpa/inet.h>
#include <fmt/format.h>
#include <utf8.h>

#include <algorithm>
#include <array>
#include <cctype>
#include <map>
#include <set>
#include <vector>

#include "data/check_digits.h"
#include "data/deidentify/ages_and_zip_codes.h"
#include "data/deidentify/dates.h"
#include "data/deidentify/surrogate_words.h"
#include "data/patterns/pattern.h"
#include "data/synthesis/values.h"

namespace entune {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool is_letter(char c) { return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z'); }

char digit(Random& random) { return static_cast<char>('0' + random.below(10)); }

struct Script {
  char32_t first, last;              ///< what belongs to it
  char32_t first_drawn, last_drawn;  ///< what stands for it
};

/// Letters and digits beyond ASCII that are replaced by their like.
constexpr std::array kScripts = std::to_array<Script>({
    {0x386, 0x3AB, 0x391, 0x3A1},      // Greek
    {0x3AC, 0x3CE, 0x3B1, 0x3C9},      //
    {0x400, 0x42F, 0x410, 0x42F},      // Cyrillic
    {0x430, 0x45F, 0x430, 0x44F},      //
    {0x5D0, 0x5EA, 0x5D0, 0x5EA},      // Hebrew
    {0x621, 0x64A, 0x628, 0x63A},      // Arabic
    {0x660, 0x669, 0x660, 0x669},      // Arabic digits
    {0x6F0, 0x6F9, 0x6F0, 0x6F9},      //
    {0x905, 0x939, 0x905, 0x939},      // Devanagari
    {0x966, 0x96F, 0x966, 0x96F},      //
    {0xE01, 0xE2E, 0xE01, 0xE2E},      // Thai
    {0x3041, 0x3096, 0x3041, 0x3096},  // hiragana
    {0x30A1, 0x30FA, 0x30A1, 0x30FA},  // katakana
    {0x4E00, 0x9FFF, 0x4E00, 0x9FA5},  // Han
    {0xAC00, 0xD7A3, 0xAC00, 0xD7A3},  // Hangul
    {0xFF10, 0xFF19, 0xFF10, 0xFF19},  // full-width digits
    {0xFF21, 0xFF3A, 0xFF21, 0xFF3A},  // full-width letters
    {0xFF41, 0xFF5A, 0xFF41, 0xFF5A},  //
});

/// Stands for itself: spaces and punctuation.
bool is_layout(char32_t c) {
  return c < 0x80 || c == 0xA0 || c == 0xAB || c == 0xB7 || c == 0xBB || (c >= 0x2000 && c <= 0x200A) ||
         (c >= 0x2010 && c <= 0x2029) || (c >= 0x3000 && c <= 0x3003);
}

/// Adds marks to the letter before it.
bool is_mark(char32_t c) {
  return (c >= 0x300 && c <= 0x36F) || (c >= 0x200B && c <= 0x200F) || (c >= 0xFE00 && c <= 0xFE0F);
}

void append_like(std::string& text, char32_t c, Random& random) {
  if (c < 0x80) {
    const char ascii = static_cast<char>(c);
    if (is_digit(ascii)) {
      text += digit(random);
    } else if (is_letter(ascii)) {
      // One draw whatever the case: values that differ in case alone get the same.
      text += static_cast<char>((ascii < 'a' ? 'A' : 'a') + random.below(26));
    } else {
      text += ascii;
    }
  } else if (is_layout(c)) {
    utf8::append(c, std::back_inserter(text));
  } else if (!is_mark(c)) {
    const auto script = std::find_if(kScripts.begin(), kScripts.end(),
                                     [&](const Script& range) { return c >= range.first && c <= range.last; });
    const bool is_known = script != kScripts.end();
    const char32_t first = is_known ? script->first_drawn : 'a';
    const char32_t last = is_known ? script->last_drawn : 'z';
    utf8::append(first + static_cast<char32_t>(random.below(last - first + 1)), std::back_inserter(text));
  }
}

std::string like(std::string_view value, Random& random) {
  std::string text;
  for (auto at = value.begin(); at != value.end();) append_like(text, utf8::next(at, value.end()), random);
  return text;
}

template <typename Keep>
std::string only(const std::string& value, Keep keep) {
  std::string kept;
  std::copy_if(value.begin(), value.end(), std::back_inserter(kept), keep);
  return kept;
}

/// `value` with its letters and digits replaced, in order, by those of `characters`; the case is the value's. nullopt
/// if they are not as many.
std::optional<std::string> laid_out_as(const std::string& value, const std::string& characters) {
  const auto taken = [](char c) { return is_digit(c) || is_letter(c); };
  if (static_cast<std::size_t>(std::count_if(value.begin(), value.end(), taken)) != characters.size())
    return std::nullopt;
  std::string text = value;
  std::size_t next = 0;
  for (char& c : text) {
    if (!taken(c)) continue;
    const auto drawn = static_cast<unsigned char>(characters[next++]);
    c = static_cast<char>(c >= 'a' && c <= 'z' ? std::tolower(drawn) : drawn);
  }
  return text;
}

std::optional<std::string> card(const std::string& value, Random& random) {
  const std::string digits = only(value, is_digit);
  if (!luhn_valid(digits) || digits.size() < 2) return std::nullopt;
  std::string drawn(1, digits[0]);
  while (drawn.size() + 1 < digits.size()) drawn += digit(random);
  return laid_out_as(value, drawn + luhn_digit(drawn));
}

std::optional<std::string> iban(const std::string& value, Random& random) {
  const std::string code =
      in_case(only(value, [](char c) { return is_digit(c) || is_letter(c); }), LetterCase::capitals);
  if (!iban_valid(code)) return std::nullopt;
  return laid_out_as(value, make_iban(code.substr(0, 2), like(code.substr(4), random)));
}

std::optional<std::string> social_security(const std::string& value, Random& random) {
  if (!ssn_valid(only(value, is_digit))) return std::nullopt;
  std::string digits;
  do {
    digits = like("000000000", random);
  } while (!ssn_valid(digits));
  return laid_out_as(value, digits);
}

std::optional<std::string> routing_number(const std::string& value, Random& random) {
  if (!routing_number_valid(only(value, is_digit))) return std::nullopt;
  return laid_out_as(value, make_value("BANK_ACCOUNT", "routing", random));
}

/// Ten digits, or eleven from 1 on: an area code, then 555-0100 to 555-0199, kept for fiction.
std::optional<std::string> american_phone(const std::string& value, Random& random) {
  const std::string digits = only(value, is_digit);
  const bool with_country = digits.size() == 11 && digits[0] == '1';
  if ((digits.size() != 10 && !with_country) || digits[with_country] < '2') return std::nullopt;
  const std::string start = fmt::format("{}{}", with_country ? "1" : "", random.between(200, 989));
  return laid_out_as(value, fmt::format("{}55501{:02}", start, random.below(100)));
}

/// Any other telephone number: zeros stay, as they are no part of the subscriber's.
std::string other_phone(const std::string& value, Random& random) {
  std::string text = like(value, random);
  for (std::size_t i = 0; i < value.size() && text.size() == value.size(); ++i) {
    if (!is_digit(value[i])) continue;
    if (value[i] != '0') {
      if (text[i] == '0') text[i] = '1';
      break;
    }
    text[i] = '0';
  }
  return text;
}

std::optional<std::string> internet_address(const std::string& value, Random& random) {
  static const WordList networks = {"192.0.2.", "198.51.100.", "203.0.113."};  // RFC 5737
  in_addr address4;
  in6_addr address6;
  if (inet_pton(AF_INET, value.c_str(), &address4) == 1)
    return fmt::format("{}{}", random.choice(networks), random.between(1, 254));
  if (inet_pton(AF_INET6, value.c_str(), &address6) != 1) return std::nullopt;
  std::string text = "2001:db8:";  // RFC 3849
  for (int i = 0; i < 6; ++i) text += fmt::format("{}{:x}", i == 0 ? "" : ":", random.below(0x10000));
  return text;
}

std::string email(const std::string& value, Random& random) {
  std::string address;
  do {
    address = make_value("EMAIL_ADDRESS", "", random);
  } while (address.find("@example.") == std::string::npos);
  // The synthesizer writes some addresses in capitals: here the original decides.
  const bool capitals = letter_case(value) == LetterCase::capitals;
  return in_case(address, capitals ? LetterCase::capitals : LetterCase::small);
}

/// Scheme, www and the layout of the path stay.
std::string web_address(const std::string& value, Random& random) {
  const std::string folded = in_case(value, LetterCase::small);
  std::size_t start = std::min(folded.find("://"), folded.size());
  static const WordList schemes = {"http", "https", "ftp"};  // another one may be a name
  start = start < folded.size() && std::find(schemes.begin(), schemes.end(), folded.substr(0, start)) != schemes.end() ? start + 3 : 0;
  if (folded.compare(start, 4, "www.") == 0) start += 4;
  const std::size_t path = std::min(value.find('/', start), value.size());
  static const WordList domains = {"example.com", "example.org", "example.net"};  // RFC 2606
  const std::string host = in_case(one_word(firm_words(), random), LetterCase::small);
  return fmt::format("{}{}.{}{}", value.substr(0, start), host, random.choice(domains),
                     like(value.substr(path), random));
}

std::optional<std::string> near_age(const std::string& value, Random& random) {
  if (!group_age(value)) return std::nullopt;
  const std::size_t end = std::min(value.find_first_not_of("0123456789"), value.size());
  const bool is_child = std::stoi(value.substr(0, end)) < 18;
  return fmt::format("{}{}", is_child ? random.between(0, 17) : random.between(18, 89), value.substr(end));
}

std::optional<std::string> moved_date(const std::string& value, Random& random) {
  const std::int64_t days = random.between(1, 365);
  return shift_date(value, random.chance(0.5) ? days : -days, false);
}

using Form = std::optional<std::string> (*)(const std::string&, Random&);

/// What is tried before the code's own form, in this order.
const std::map<std::string, std::vector<Form>>& code_forms() {
  static const std::map<std::string, std::vector<Form>> forms = {
      {"card", {card}},
      {"iban", {iban}},
      {"bank", {iban, routing_number}},
      {"ssn", {social_security}},
      {"phone", {american_phone}},
  };
  return forms;
}

}  // namespace

std::string surrogate_kind(const std::string& label) {
  static const std::map<std::string_view, std::string_view> places = {{"GPE", "city"},
                                                                      {"LOC", "city"},
                                                                      {"LOCATION", "city"},
                                                                      {"CITY", "city"},
                                                                      {"ORG", "organization"},
                                                                      {"ORGANIZATION", "organization"},
                                                                      {"COMPANY", "organization"},
                                                                      {"HOSPITAL", "organization"}};
  if (const auto found = places.find(label); found != places.end()) return std::string(found->second);
  const std::string_view kind = kind_of_label(label);
  return kind.empty() ? label : std::string(kind);
}

bool is_code(const std::string& kind) {
  static const std::set<std::string> others = {"person", "organization", "city", "address", "email",
                                               "url",    "domain",       "ip",   "date",    "age"};
  return !others.contains(kind);
}

std::optional<std::string> surrogate_form(const std::string& kind, const std::string& value, const PartRandom& random) {
  Random whole = random(value);
  if (kind == "person") return person_form(value, random);
  if (kind == "organization" || kind == "city" || kind == "address") return named_place_form(kind, value, whole);
  if (kind == "email" && value.find('@') != std::string::npos) return email(value, whole);
  if (kind == "url" || kind == "domain") return web_address(value, whole);
  if (kind == "date") return moved_date(value, whole);
  if (kind == "age") return near_age(value, whole);
  if (kind == "ip") {
    if (std::optional<std::string> address = internet_address(value, whole)) return address;
  }
  if (const auto forms = code_forms().find(kind); forms != code_forms().end()) {
    for (const Form form : forms->second) {
      if (std::optional<std::string> drawn = form(value, whole)) return drawn;
    }
  }
  return kind == "phone" ? other_phone(value, whole) : like(value, whole);
}

bool shares_a_word(const std::string& kind, const std::string& value, const std::string& surrogate) {
  if (kind != "person" && kind != "organization" && kind != "city" && kind != "address") return false;
  const std::set<std::string> own = replaced_words(kind, value);
  const std::set<std::string> drawn = replaced_words(kind, surrogate);
  return std::any_of(own.begin(), own.end(), [&](const std::string& word) { return drawn.contains(word); });
}

}  // namespace entune
