#pragma once

#include <stdexcept>
#include <string>

namespace entune {

/// Every rank alike ends the run before its work is done. main() prints what() once, from rank 0, and exits with the
/// code once MPI is finalized: nobody is left in a collective.
class EarlyEnd : public std::runtime_error {
 public:
  enum Code {
    no_usable_checkpoint = 3,
    not_finite = 20,  ///< several losses or gradients in a row
    saved = 85,       ///< asked to by SIGUSR1; the same command with --resume auto goes on. 86: Watchdog::kExitCode
  };
  EarlyEnd(Code code, const std::string& message) : std::runtime_error(message), code_(code) {}

  Code code() const { return code_; }

 private:
  Code code_;
};

}  // namespace entune
