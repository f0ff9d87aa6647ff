// What ends the program, or one of its inputs, before its time: one line for the user.
#pragma once

#include <stdexcept>
#include <string>

namespace edge_asr::runner {

// The exit codes of edge_asr/terminal/process.py; after a signal it is kSignalled and the signal's number.
enum ExitCode { kDone = 0, kFailed = 1, kMisused = 2, kSignalled = 128, kPipeClosed = 141 };

class Trouble : public std::runtime_error {
 public:
  explicit Trouble(const std::string& line, ExitCode code = kFailed) : std::runtime_error(line), code_(code) {}

  ExitCode code() const noexcept { return code_; }

 private:
  ExitCode code_;
};

// One input cannot be heard, or not to its end. The other inputs can.
class BadInput : public Trouble {
 public:
  BadInput(const std::string& name, const std::string& text) : Trouble(name + ": " + text), text_(text) {}

  const std::string& text() const noexcept { return text_; }  // without the name

 private:
  std::string text_;
};

}  // namespace edge_asr::runner
