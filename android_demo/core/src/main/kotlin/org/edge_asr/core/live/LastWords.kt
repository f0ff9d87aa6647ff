package org.edge_asr.core.live

/** The end of [text], at most [most] characters, from the beginning of a word on: an hour of speech is not laid out twice a second. */
fun lastWords(text: String, most: Int): String {
    if (text.length <= most) return text
    val from = text.length - most
    val space = text.indexOfAny(charArrayOf(' ', '\n'), from - 1)
    return if (space < 0) text.substring(from) else text.substring(space + 1)
}
