#pragma once

#include <string>
#include <string_view>

namespace entune {

/// `text` for element content and quoted attributes: & < > " ' as entities, and what HTML cannot hold (control
/// characters but for tab and line ends, invalid UTF-8) replaced by U+FFFD. Everything that a report shows goes through
/// it.
std::string html_escaped(std::string_view text);

}  // namespace entune
