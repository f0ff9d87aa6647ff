#include "transcript.h"

namespace edge_asr::runner {
namespace {

void append(std::string& text, const edge_asr_word* words, std::size_t count) {
  for (std::size_t i = 0; i < count; ++i) {
    if (!text.empty()) text += ' ';
    text += words[i].text;
  }
}

}  // namespace

bool Transcript::take(const edge_asr_update& update, double call_ms) {
  calls_ms += call_ms;
  if (detailed) take_details(update);
  append(final, update.new_words, update.new_word_count);
  std::string next;
  append(next, update.partial_words, update.partial_word_count);
  const bool changed = update.new_word_count > 0 || next != partial;
  partial = next;
  counters = update.counters;
  return changed;
}

void Transcript::take_details(const edge_asr_update& update) {
  for (std::size_t i = 0; i < update.new_word_count; ++i) {
    const edge_asr_word& word = update.new_words[i];
    words.push_back({word.text, word.start_s, word.end_s, static_cast<double>(word.confidence)});
  }
  for (std::size_t i = 0; i < update.step_count; ++i) {
    step_ms.push_back(update.steps[i].latency_ms);
    step_is_upper.push_back(update.steps[i].upper_ran != 0);
  }
}

}  // namespace edge_asr::runner
