#pragma once

#include <string>
#include <string_view>

namespace entune {

/// Check digits of numbers that carry one. Digits are ASCII; separators must be gone.

/// Luhn's mod 10 (ISO/IEC 7812-1), as on payment cards. False for anything but digits, and for the empty string.
bool luhn_valid(std::string_view digits);
/// The digit that makes `digits` + it valid.
char luhn_digit(std::string_view digits);

/// American routing numbers: nine digits with weights 3, 7, 1 (mod 10), the first two in a range in use: 00-12, 21-32,
/// 61-72, 80.
bool routing_number_valid(std::string_view digits);
/// The ninth digit for eight.
char routing_number_digit(std::string_view digits);

/// ISO 13616: four characters moved to the end, letters as 10..35, mod 97 == 1; upper-case letters and digits, 15 to 34
/// of them.
bool iban_valid(std::string_view iban);
/// `country` + check digits + `bban`.
std::string make_iban(std::string_view country, std::string_view bban);

/// An American social security number by its nine digits: area not 000, 666 or 900-999, group not 00, serial not 0000.
bool ssn_valid(std::string_view digits);

}  // namespace entune
