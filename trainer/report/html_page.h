#pragma once

#include <string>
#include <string_view>

namespace entune {

/// A whole HTML page with the report's style sheet and footer: no script, nothing loaded from elsewhere. `title` is
/// escaped, `body` stands in it as it is. `holds_texts`: what the footer says of it.
std::string html_page(std::string_view title, std::string_view body, bool holds_texts = false);

}  // namespace entune
