#include "data/deidentify/cryptography.h"

#include <gmock/gmock.h>
#include <sys/stat.h>

#include <cstdlib>
#include <set>

#include "data/deidentify/secret_key.h"
#include "tests/support/temporary_directory.h"

namespace entune {
namespace {

using test::input_error_of;
using ::testing::AllOf;
using ::testing::HasSubstr;
using ::testing::Not;

std::string hex(std::string_view text) { return *from_hex(text); }

TEST(Hmac, KnownAnswersOfRfc4231) {
  EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\x0b'), "Hi There")),
            "b0344c61d8db38535ca8afceaf0bf12b881dc200c9833da726e9376c2e32cff7");
  EXPECT_EQ(to_hex(hmac_sha256("Jefe", "what do ya want for nothing?")),
            "5bdcc146bf60754e6a042426089575c75a003f089d2739839dec58b964ec3843");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(20, '\xaa'), std::string(50, '\xdd'))),
            "773ea91e36800e46854db8ebd09181a72959098b3ef8c122d9635514ced565fe");
  EXPECT_EQ(to_hex(hmac_sha256(std::string(131, '\xaa'), "Test Using Larger Than Block-Size Key - Hash Key First")),
            "60e431591ee0b67f0d8a26aacbf5b77f8e0bc6213728c5140546040f0ee37f54");
}

TEST(Sha256, KnownAnswer) {
  EXPECT_EQ(to_hex(sha256("abc")), "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
}

// Test case 16 of the GCM specification (McGrew and Viega): AES-256 with associated data.
TEST(AesGcm, KnownAnswer) {
  const std::string key = hex("feffe9928665731c6d6a8f9467308308feffe9928665731c6d6a8f9467308308");
  const std::string nonce = hex("cafebabefacedbaddecaf888");
  const std::string plain = hex(
      "d9313225f88406e5a55909c5aff5269a86a7a9531534f7da2e4c303d8a318a721c3c0c95956809532fcf0e2449a6b525b16aedf5aa0de657"
      "ba637b39");
  const std::string associated = hex("feedfacedeadbeeffeedfacedeadbeefabaddad2");
  const std::string sealed = seal_with_nonce(key, nonce, associated, plain);
  EXPECT_EQ(
      to_hex(sealed),
      "cafebabefacedbaddecaf888"
      "522dc1f099567d07f47f37a32a84427d643a8cdcbfe5c0c97598a2bd2555d1aa8cb08e48590dbb3da7b08b1056828838c5f61e6393ba"
      "7a0abcc9f662"
      "76fc6ece0f4e1768cddf8853bb2d551b");
  EXPECT_EQ(unseal(key, associated, sealed), plain);
}

TEST(AesGcm, AnyChangeIsNoticed) {
  const std::string key(32, 'k');
  const std::string sealed = seal(key, "who", "value");
  ASSERT_EQ(unseal(key, "who", sealed), "value");
  for (std::size_t i = 0; i < sealed.size(); ++i) {
    std::string changed = sealed;
    changed[i] = static_cast<char>(changed[i] ^ 1);
    EXPECT_EQ(unseal(key, "who", changed), std::nullopt) << i;
    EXPECT_EQ(unseal(key, "who", sealed.substr(0, i)), std::nullopt) << i;
  }
  EXPECT_EQ(unseal(key, "whose", sealed), std::nullopt);
  EXPECT_EQ(unseal(std::string(32, 'l'), "who", sealed), std::nullopt);
  EXPECT_EQ(unseal(key, "", seal(key, "", "")), "");
}

TEST(AesGcm, EveryNonceIsFresh) {
  std::set<std::string> nonces;
  for (int i = 0; i < 100; ++i) nonces.insert(seal(std::string(32, 'k'), "", "x").substr(0, 12));
  EXPECT_EQ(nonces.size(), 100u);
}

TEST(Encodings, AreInverses) {
  EXPECT_EQ(to_base64url("\xff\xfe\xfd"), "__79");
  EXPECT_EQ(to_base64url("f"), "Zg");
  for (std::size_t length = 0; length < 40; ++length) {
    const std::string bytes = random_bytes(length);
    EXPECT_EQ(from_hex(to_hex(bytes)), bytes);
    EXPECT_EQ(from_base64url(to_base64url(bytes)), bytes);
  }
  for (const char* wrong : {"A", "Zh", "Zg=", "Z g", "Zg\n", "+/+/"})
    EXPECT_EQ(from_base64url(wrong), std::nullopt) << wrong;
  for (const char* wrong : {"a", "0g", "0x", " 00"}) EXPECT_EQ(from_hex(wrong), std::nullopt) << wrong;
}

TEST(JoinUnambiguously, TellsPartsApart) {
  EXPECT_NE(join_unambiguously({"ab", "c"}), join_unambiguously({"a", "bc"}));
  EXPECT_NE(join_unambiguously({"", "a"}), join_unambiguously({"a", ""}));
}

class SecretKeyFile : public ::testing::Test {
 protected:
  KeySource source(std::string_view contents, mode_t mode = 0600) {
    const std::filesystem::path path = directory_.write("key", contents);
    ::chmod(path.c_str(), mode);
    return {.file = path.string(), .environment = {}, .where = "policy.yaml:3:6"};
  }
  test::TemporaryDirectory directory_;
};

TEST_F(SecretKeyFile, HexBase64AndRawBytesAreTheSameKey) {
  const std::string bytes = hex("00ff10203040506070809fa0b0c0d0e0f00102030405060708090a0b0c0d0efe");
  const std::string expected = SecretKey(bytes).derive("x");
  EXPECT_EQ(read_secret_key(source(to_hex(bytes) + "\n")).derive("x"), expected);
  EXPECT_EQ(read_secret_key(source(to_base64url(bytes))).derive("x"), expected);
  EXPECT_EQ(read_secret_key(source("AP8QIDBAUGBwgJ+gsMDQ4PABAgMEBQYHCAkKCwwNDv4=\r\n")).derive("x"), expected);
  EXPECT_EQ(read_secret_key(source(bytes)).derive("x"), expected);
  EXPECT_NE(SecretKey(bytes).derive("y"), expected);
}

TEST_F(SecretKeyFile, WhatOthersMayReadIsRefused) {
  const std::string good(64, 'a');
  for (const mode_t mode : {0640, 0604, 0660, 0610}) {
    EXPECT_THAT(input_error_of([&] { read_secret_key(source(good, mode)); }),
                AllOf(HasSubstr("policy.yaml:3:6"), HasSubstr("its owner alone"), Not(HasSubstr(good))));
  }
}

TEST_F(SecretKeyFile, ShortKeysAndPassphrasesAreRefused) {
  EXPECT_THAT(input_error_of([&] { read_secret_key(source(std::string(62, 'a'))); }), HasSubstr("found 31"));
  EXPECT_THAT(input_error_of([&] { read_secret_key(source(std::string(31, '\xff'))); }), HasSubstr("found 31"));
  EXPECT_THAT(input_error_of([&] { read_secret_key(source("a passphrase of many words is still no key")); }),
              AllOf(HasSubstr("found other text"), Not(HasSubstr("many words"))));
  EXPECT_THAT(input_error_of([&] { read_secret_key(source("")); }), HasSubstr("found 0"));
  EXPECT_THAT(input_error_of([&] { read_secret_key(source(std::string(5000, '\xff'))); }), HasSubstr("4096"));
  EXPECT_THAT(input_error_of([&] {
                read_secret_key({directory_.path() / "none", "", "p:1:1"});
              }),
              HasSubstr("found none"));
  EXPECT_THAT(input_error_of([&] { read_secret_key({directory_.path(), "", "p:1:1"}); }), HasSubstr("something else"));
}

TEST(SecretKeyVariable, IsReadAndMissed) {
  ::setenv("ENTUNE_TEST_KEY", std::string(64, 'b').c_str(), 1);
  const KeySource source{"", "ENTUNE_TEST_KEY", "p:1:1"};
  EXPECT_EQ(read_secret_key(source).derive("x"), SecretKey(std::string(32, '\xbb')).derive("x"));
  ::setenv("ENTUNE_TEST_KEY", std::string(40, '\xbb').c_str(), 1);
  EXPECT_THAT(input_error_of([&] { read_secret_key(source); }), HasSubstr("found other bytes"));
  ::unsetenv("ENTUNE_TEST_KEY");
  EXPECT_THAT(input_error_of([&] { read_secret_key(source); }), HasSubstr("found nothing"));
}

}  // namespace
}  // namespace entune
