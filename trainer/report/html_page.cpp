#include "trainer/report/html_page.h"

#include <fmt/format.h>

#include "trainer/report/html_text.h"
#include "trainer/report/report_style.h"

namespace entune {

std::string html_page(std::string_view title, std::string_view body, bool holds_texts) {
  return fmt::format(
      "<!DOCTYPE html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n<meta name=\"viewport\" "
      "content=\"width=device-width, "
      "initial-scale=1\">\n<title>{} – Entune report</title>\n<style>{}</style>\n</head>\n<body>\n<main>\n{}<footer>"
      "Made by Entune. This page holds {}.</footer>\n</main>\n</body>\n</html>\n",
      html_escaped(title), report_style(), body,
      holds_texts ? "texts of the corpus, with personal data" : "counts and scores, no text of the corpus");
}

}  // namespace entune
