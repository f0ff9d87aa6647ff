// Text that arrives on a terminal: what is final stays, what is partial is dim and may still change.
#pragma once

#include <cstddef>
#include <functional>
#include <string>
#include <utility>

namespace edge_asr::runner {

// Redraws the last line only. Final text that fills the line is written for good, so any length of text flows.
class LiveText {
 public:
  using Write = std::function<void(const std::string&)>;
  using Columns = std::function<std::size_t()>;

  // `columns` tells the width of the terminal that `write` writes to.
  LiveText(Write write, Columns columns) : write_(std::move(write)), columns_(std::move(columns)) {}

  // `new_text` follows what was final before; `partial` follows it, and replaces the partial text before.
  void show(const std::string& new_text, const std::string& partial);

  // Nothing follows: end the line.
  void finish();

 private:
  Write write_;
  Columns columns_;
  std::string last_line_;  // final text that may still get company
};

std::size_t columns_of(int descriptor);

}  // namespace edge_asr::runner
