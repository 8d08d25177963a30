#include "data/deidentify/surrogates.h"

#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <utf8.h>

#include <regex>

#include "data/check_digits.h"
#include "data/synthesis/values.h"
#include "tests/data/corpus/random_example.h"

namespace entune {
namespace {

const std::string kKey(32, 'k');

std::optional<std::string> surrogate(const std::string& label, std::string_view value, const std::string& id = "d1",
                                     PseudonymScope scope = PseudonymScope::document) {
  return DocumentSurrogates(kKey, scope, id, {value}).of(label, value);
}

/// 9 for digits, A and a for letters, the rest as it is.
std::string layout(const std::string& text) {
  std::string shape;
  for (const char c : text)
    shape += c >= '0' && c <= '9' ? '9' : c >= 'A' && c <= 'Z' ? 'A' : c >= 'a' && c <= 'z' ? 'a' : c;
  return shape;
}

std::string digits_of(const std::string& text) {
  std::string digits;
  for (const char c : text)
    if (c >= '0' && c <= '9') digits += c;
  return digits;
}

TEST(Surrogates, WordsThatCouldBeTitlesOrStreetsDoNotStayInANamesPlace) {
  for (int i = 0; i < 50; ++i) {
    const std::string seed = std::to_string(i);
    EXPECT_FALSE(surrogate("PERSON", "Md Rahman", seed)->starts_with("Md ")) << i;
    EXPECT_TRUE(surrogate("PERSON", "Ann Rahman MD", seed)->ends_with(" MD")) << i;
    EXPECT_EQ(surrogate("STREET_ADDRESS", "83 Court St", seed)->find("Court"), std::string::npos) << i;
    EXPECT_TRUE(surrogate("STREET_ADDRESS", "83 Main St", seed)->ends_with(" St")) << i;
    EXPECT_EQ(surrogate("URL", "johnsmith://x.y/z", seed)->find("johnsmith"), std::string::npos) << i;
    EXPECT_TRUE(surrogate("URL", "https://x.y/z", seed)->starts_with("https://")) << i;
  }
}

TEST(Surrogates, CodesKeepLayoutAndCheckDigits) {
  Random random(3);
  for (const char* label : {"CREDIT_CARD", "BANK_ACCOUNT", "US_SSN", "US_DRIVER_LICENSE", "MEDICAL_RECORD_NUMBER",
                            "PRESCRIPTION_NUMBER", "ORDER_NUMBER", "PHONE_NUMBER"}) {
    for (int i = 0; i < 300; ++i) {
      const std::string value = make_value(label, "", random);
      const std::optional<std::string> made = surrogate(label, value, std::to_string(i));
      ASSERT_TRUE(made) << label;
      EXPECT_EQ(layout(*made), layout(value)) << label;
      EXPECT_NE(*made, value) << label;
      const std::string digits = digits_of(*made);
      if (std::string_view(label) == "CREDIT_CARD") {
        EXPECT_TRUE(luhn_valid(digits) && digits[0] == digits_of(value)[0]);
      }
      if (std::string_view(label) == "US_SSN") {
        EXPECT_TRUE(ssn_valid(digits));
      }
      if (std::string_view(label) == "BANK_ACCOUNT") {
        std::string code = *made, original = value;
        std::erase(code, ' ');
        std::erase(original, ' ');
        EXPECT_EQ(iban_valid(code), iban_valid(original));
        if (!iban_valid(original) && routing_number_valid(digits_of(value))) {
          EXPECT_TRUE(routing_number_valid(digits));
        }
      }
    }
  }
  // Not valid before: nothing to keep right.
  EXPECT_EQ(layout(*surrogate("CREDIT_CARD", "1234 5678")), "9999 9999");
  EXPECT_EQ(layout(*surrogate("IBAN_CODE", "gb42nawi04454264788619")), "aa99aaaa99999999999999");
}

TEST(Surrogates, TelephoneNumbersAreFictional) {
  EXPECT_THAT(*surrogate("PHONE_NUMBER", "(312) 867-5309"),
              ::testing::MatchesRegex("\\([2-9][0-9]{2}\\) 555-01[0-9]{2}"));
  EXPECT_THAT(*surrogate("PHONE_NUMBER", "+1 312 867 5309"),
              ::testing::MatchesRegex("\\+1 [2-9][0-9]{2} 555 01[0-9]{2}"));
  EXPECT_THAT(*surrogate("PHONE_NUMBER", "07700 063 966"), ::testing::MatchesRegex("0[1-9][0-9]{3} [0-9]{3} [0-9]{3}"));
}

TEST(Surrogates, NamesKeepWordsCaseAndTitles) {
  EXPECT_THAT(*surrogate("PERSON", "Dr. Maria G. López"),
              ::testing::MatchesRegex("Dr\\. [A-Z][a-z]+ [A-Z]\\. [A-Z][A-Za-z]+"));
  EXPECT_THAT(*surrogate("PERSON", "JOHN SMITH"), ::testing::MatchesRegex("[A-Z]+ [A-Z]+"));
  EXPECT_THAT(*surrogate("PERSON", "smith, john"), ::testing::MatchesRegex("[a-z]+, [a-z]+"));
  EXPECT_THAT(*surrogate("PERSON", "O'Brien"), ::testing::MatchesRegex("[A-Z][A-Za-z]+"));
  EXPECT_THAT(*surrogate("PERSON", "Šárka"), ::testing::MatchesRegex("[A-Z][a-z]+"));
  EXPECT_EQ(surrogate("PERSON", "Dr."), std::nullopt);  // nothing to replace
  // A name's words are the same words alone and together.
  DocumentSurrogates both(kKey, PseudonymScope::document, "d", {"John Smith", "John", "Smith"});
  const std::string whole = *both.of("PERSON", "John Smith");
  EXPECT_EQ(*both.of("PERSON", "John") + " " + *both.of("PERSON", "Smith"), whole);
}

TEST(Surrogates, PlacesFirmsAndStreets) {
  EXPECT_THAT(
      *surrogate("STREET_ADDRESS", "6750 Koskikatu 25 Apt. 864\nArtilleros\n, CO\n Uruguay 64677"),
      ::testing::MatchesRegex(
          "[0-9]{4} [A-Z][a-z]+ [0-9]{2} Apt. [0-9]{3}\n[A-Z][A-Za-z. ]+\n, [A-Z]{2}\n [A-Z][A-Za-z. ]+ [0-9]{5}"));
  EXPECT_THAT(*surrogate("STREET_ADDRESS", "14 Stony Brook Lane"),
              ::testing::MatchesRegex("[0-9]{2} [A-Z][a-z]+ Lane"));
  EXPECT_THAT(*surrogate("GPE", "LAPPEENRANTA"), ::testing::MatchesRegex("[A-Z. ]+"));
  EXPECT_THAT(*surrogate("GPE", "SK"), ::testing::MatchesRegex("[A-Z]{2}"));
  EXPECT_THAT(*surrogate("ORGANIZATION", "Microbilt Widget Corp"),
              ::testing::MatchesRegex("[A-Z][a-z]+ [A-Z][a-z]+ Corp"));
  EXPECT_EQ(layout("x"), "a");
}

TEST(Surrogates, AddressesOfTheNetAreReserved) {
  EXPECT_THAT(*surrogate("EMAIL_ADDRESS", "UtaKortig@jourrapide.com"),
              ::testing::MatchesRegex(".+@example\\.[a-z]{3}"));
  in_addr address;
  const std::string ip = *surrogate("IP_ADDRESS", "106.31.73.20");
  EXPECT_EQ(inet_pton(AF_INET, ip.c_str(), &address), 1);
  EXPECT_THAT(ip, ::testing::MatchesRegex("(192\\.0\\.2|198\\.51\\.100|203\\.0\\.113)\\.[0-9]+"));
  in6_addr address6;
  EXPECT_EQ(inet_pton(AF_INET6, surrogate("IP_ADDRESS", "2a02:120b::1")->c_str(), &address6), 1);
  EXPECT_THAT(*surrogate("URL", "https://www.ClickPhobia.com.br/a/7?b"),
              ::testing::MatchesRegex("https://www\\.[a-z]+\\.example\\.[a-z]{3}/[a-z]/[0-9]\\?[a-z]"));
  EXPECT_THAT(*surrogate("URL", "Ida Holm ftp://a"), ::testing::MatchesRegex("[a-z]+\\.example\\.[a-z]{3}//[a-z]"));
}

TEST(Surrogates, DatesAndAges) {
  EXPECT_THAT(*surrogate("DATE_TIME", "2/8/1935"), ::testing::MatchesRegex("[0-9]{1,2}/[0-9]{1,2}/193[4-6]"));
  EXPECT_EQ(surrogate("DATE_TIME", "Tuesday"), std::nullopt);
  EXPECT_THAT(*surrogate("AGE", "97 years old"), ::testing::MatchesRegex("([2-8][0-9]|1[89]) years old"));
  EXPECT_EQ(surrogate("AGE", "ninety"), std::nullopt);
}

TEST(Surrogates, OtherScriptsStayInTheirScript) {
  const std::string greek = *surrogate("GPE", "ΕΓΚΩΜΗ");
  EXPECT_NE(greek, "ΕΓΚΩΜΗ");
  for (auto at = greek.begin(); at != greek.end();) {
    const char32_t c = utf8::next(at, greek.end());
    EXPECT_TRUE(c >= 0x391 && c <= 0x3A1) << static_cast<unsigned>(c);
  }
  EXPECT_EQ(utf8::distance(greek.begin(), greek.end()), 6);
}

TEST(Surrogates, FollowFromKeyScopeAndValue) {
  const std::string name = "Kowalski-Brandt";
  EXPECT_EQ(surrogate("PERSON", name, "d1"), surrogate("PERSON", name, "d1"));
  EXPECT_EQ(surrogate("PERSON", name, "d1", PseudonymScope::dataset),
            surrogate("PERSON", name, "d2", PseudonymScope::dataset));
  int differ = 0, differ_by_key = 0;
  for (int i = 0; i < 50; ++i) {
    const std::string number = std::to_string(100000 + i);
    differ += surrogate("ID", number, "d1") != surrogate("ID", number, "d2");
    differ_by_key += surrogate("ID", number) !=
                     DocumentSurrogates(std::string(32, 'l'), PseudonymScope::document, "d1", {}).of("ID", number);
  }
  EXPECT_GE(differ, 49);
  EXPECT_GE(differ_by_key, 49);
  // White space at the ends, case and a code's separators do not make another value.
  DocumentSurrogates one(kKey, PseudonymScope::document, "d", {});
  EXPECT_EQ(folded_value(*one.of("PERSON", " JANE ROE\n")), folded_value(*one.of("PERSON", "Jane Roe")));
  EXPECT_EQ(digits_of(*one.of("CREDIT_CARD", "4111 1111 1111 1111")),
            digits_of(*one.of("CREDIT_CARD", "4111111111111111")));
  EXPECT_THAT(*one.of("PERSON", " JANE ROE\n"), ::testing::MatchesRegex(" [A-Z]+ [A-Z]+\n"));
}

TEST(Surrogates, AreNoRealValueAndNoOtherValuesSurrogate) {
  // All digits but two are real: those two are what is left, once each, and then nothing is.
  std::vector<std::string> values;
  for (char c = '0'; c <= '9'; ++c) values.push_back(std::string(1, c));
  std::vector<std::string_view> real(values.begin(), values.end() - 2);
  DocumentSurrogates digits(kKey, PseudonymScope::document, "d", real);
  std::set<std::string> made;
  int none = 0;
  for (const std::string_view value : real) {
    const std::optional<std::string> drawn = digits.of("ID", value);
    if (drawn)
      made.insert(*drawn);
    else
      ++none;
  }
  EXPECT_EQ(made, (std::set<std::string>{"8", "9"}));
  EXPECT_EQ(none, 6);
  EXPECT_GT(digits.num_drawn_again(), 0);

  // In a data set two values may share one, but none is a real value.
  DocumentSurrogates shared(kKey, PseudonymScope::dataset, "d", real);
  for (const std::string_view value : real) {
    const std::optional<std::string> drawn = shared.of("ID", value);
    if (drawn) {
      EXPECT_TRUE(*drawn == "8" || *drawn == "9");
    }
  }
}

TEST(Surrogates, OfAnyText) {
  Random random(11);
  const std::vector<std::string> labels = {
      "PERSON", "GPE",        "ORGANIZATION", "STREET_ADDRESS", "EMAIL_ADDRESS", "URL",      "DATE_TIME",
      "AGE",    "IP_ADDRESS", "CREDIT_CARD",  "IBAN_CODE",      "PHONE_NUMBER",  "ZIP_CODE", "SOMETHING"};
  int made = 0;
  for (int i = 0; i < 6000; ++i) {
    const std::string value =
        random.chance(0.5) ? random_text(random, 12) : make_value("PERSON", "", random) + random_text(random, 3);
    const std::string& label = random.choice(labels);
    const std::optional<std::string> drawn = surrogate(label, value, std::to_string(i));
    if (!drawn) continue;
    ++made;
    EXPECT_TRUE(utf8::is_valid(drawn->begin(), drawn->end()));
    EXPECT_EQ(folded_value(*drawn).find(folded_value(value)), std::string::npos) << label << " " << i;
    // The same value in capitals, between spaces.
    std::string again = value;
    for (char& c : again) {
      if (c >= 'a' && c <= 'z') c = static_cast<char>(c - 'a' + 'A');
    }
    const std::optional<std::string> second = surrogate(label, " " + again + "\n", std::to_string(i));
    ASSERT_TRUE(second) << label;
    EXPECT_EQ(folded_value(*second), folded_value(*drawn)) << label;
  }
  EXPECT_GT(made, 3000);
}

}  // namespace
}  // namespace entune
