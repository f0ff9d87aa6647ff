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

  // The whole text so far; `final` begins with the `final` of the call before.
  void show(const std::string& final, const std::string& partial);

  // The whole text is final: end the line.
  void finish(const std::string& text);

 private:
  Write write_;
  Columns columns_;
  std::size_t settled_ = 0;  // bytes of the final text that stand in finished lines
};

std::size_t columns_of(int descriptor);

}  // namespace edge_asr::runner
