#include "transcript.h"

namespace edge_asr::runner {
namespace {

std::string joined(const edge_asr_word* words, std::size_t count) {
  std::string text;
  for (std::size_t i = 0; i < count; ++i) {
    if (i > 0) text += ' ';
    text += words[i].text;
  }
  return text;
}

}  // namespace

bool Transcript::take(const edge_asr_update& update, double call_ms) {
  calls_ms += call_ms;
  counters = update.counters;
  new_text = joined(update.new_words, update.new_word_count);
  if (update.new_word_count > 0 && has_words) new_text.insert(0, 1, ' ');
  has_words = has_words || update.new_word_count > 0;
  for (std::size_t i = 0; keeps_words && i < update.new_word_count; ++i) {
    const edge_asr_word& word = update.new_words[i];
    words.push_back({word.text, word.start_s, word.end_s, word.confidence});
  }
  if (keeps_words) text += new_text;
  for (std::size_t i = 0; keeps_steps && i < update.step_count; ++i) {
    step_ms.push_back(update.steps[i].latency_ms);
    step_is_upper.push_back(update.steps[i].upper_ran != 0);
  }
  const std::string before = std::move(partial);
  partial = joined(update.partial_words, update.partial_word_count);
  return update.new_word_count > 0 || partial != before;
}

}  // namespace edge_asr::runner
