#include "data/check_digits.h"

#include <fmt/format.h>

#include <algorithm>

namespace entune {
namespace {

bool is_digit(char c) { return c >= '0' && c <= '9'; }
bool all_digits(std::string_view text) { return !text.empty() && std::all_of(text.begin(), text.end(), is_digit); }

/// Sum of the digits, every second from the right doubled; the rightmost itself if `from_last`.
int luhn_sum(std::string_view digits, bool double_last) {
  int sum = 0;
  bool twice = double_last;
  for (auto it = digits.rbegin(); it != digits.rend(); ++it, twice = !twice) {
    const int digit = (*it - '0') * (twice ? 2 : 1);
    sum += digit / 10 + digit % 10;
  }
  return sum;
}

int routing_sum(std::string_view digits) {
  constexpr int kWeights[] = {3, 7, 1};
  int sum = 0;
  for (std::size_t i = 0; i < digits.size(); ++i) sum += kWeights[i % 3] * (digits[i] - '0');
  return sum;
}

/// The remainder by 97 of the number that an IBAN stands for, or -1 if a character is out of place.
int iban_remainder(std::string_view rearranged) {
  int remainder = 0;
  for (const char c : rearranged) {
    if (is_digit(c)) {
      remainder = (remainder * 10 + (c - '0')) % 97;
    } else if (c >= 'A' && c <= 'Z') {
      remainder = (remainder * 100 + (c - 'A' + 10)) % 97;
    } else {
      return -1;
    }
  }
  return remainder;
}

}  // namespace

bool luhn_valid(std::string_view digits) { return all_digits(digits) && luhn_sum(digits, false) % 10 == 0; }

char luhn_digit(std::string_view digits) { return static_cast<char>('0' + (10 - luhn_sum(digits, true) % 10) % 10); }

bool routing_number_valid(std::string_view digits) {
  if (digits.size() != 9 || !all_digits(digits) || routing_sum(digits) % 10 != 0) return false;
  const int first = (digits[0] - '0') * 10 + (digits[1] - '0');
  return first <= 12 || (first >= 21 && first <= 32) || (first >= 61 && first <= 72) || first == 80;
}

char routing_number_digit(std::string_view digits) {
  return static_cast<char>('0' + (10 - routing_sum(digits) % 10) % 10);
}

bool iban_valid(std::string_view iban) {
  if (iban.size() < 15 || iban.size() > 34 || is_digit(iban[0]) || is_digit(iban[1])) return false;
  if (!is_digit(iban[2]) || !is_digit(iban[3])) return false;
  return iban_remainder(std::string(iban.substr(4)) + std::string(iban.substr(0, 4))) == 1;
}

std::string make_iban(std::string_view country, std::string_view bban) {
  const int check = 98 - iban_remainder(fmt::format("{}{}00", bban, country));
  return fmt::format("{}{:02}{}", country, check, bban);
}

bool ssn_valid(std::string_view digits) {
  if (digits.size() != 9 || !all_digits(digits)) return false;
  const std::string_view area = digits.substr(0, 3);
  return area != "000" && area != "666" && area[0] != '9' && digits.substr(3, 2) != "00" && digits.substr(5) != "0000";
}

}  // namespace entune
