#pragma once

#include <string>
#include <string_view>

namespace entune {

/// A label or a key as an error may show it: itself if it is ASCII letters, digits and _ . - and of at most
/// 64 bytes; else "(N bytes, not shown)". What stands at a name's place in a damaged or mistaken file may be a piece of
/// text.
std::string shown_name(std::string_view name);

/// The same for what is stored to tell one from another: a name as it is, anything else as its 64-bit FNV-1a hash in
/// hexadecimal behind '#'.
std::string stored_name(std::string_view name);

}  // namespace entune
