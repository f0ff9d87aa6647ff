package org.edge_asr.core.program

import java.nio.ByteBuffer
import java.nio.charset.CharacterCodingException

/** The text is not JSON as RFC 8259 has it. */
internal class JsonException(message: String) : Exception(message)

/** A number without point and exponent; too large for a Long it is no integer that anybody asks for. */
internal class JsonInteger(val value: Long?)

/**
 * Reads JSON as RFC 8259 writes it, and no more: Android's own `org.json` takes comments, bare words, octal numbers and what
 * follows the end, and other languages' readers do not. Refused too are numbers beyond a Double, half of a surrogate
 * pair, a key that an object has twice, and more than [deepest] objects and arrays in one another.
 *
 * Objects are Maps, arrays Lists; numbers [JsonInteger] or Double; then String, Boolean and null.
 */
internal class StrictJson private constructor(private val text: String, private val deepest: Int) {
    private var at = 0

    private fun whole(): Any? {
        val found = value(0)
        skipSpace()
        if (at < text.length) throw refusal("something follows the end")
        return found
    }

    private fun value(depth: Int): Any? {
        skipSpace()
        if (at == text.length) throw refusal("it ends too early")
        return when (text[at]) {
            '{' -> objectAt(depth + 1)
            '[' -> arrayAt(depth + 1)
            '"' -> string()
            't' -> word("true", true)
            'f' -> word("false", false)
            'n' -> word("null", null)
            else -> number()
        }
    }

    private fun objectAt(depth: Int): Map<String, Any?> {
        requireShallow(depth)
        val values = LinkedHashMap<String, Any?>()
        at += 1
        if (taken('}')) return values
        do {
            skipSpace()
            if (at == text.length || text[at] != '"') throw refusal("a key is missing")
            val key = string()
            if (!taken(':')) throw refusal("a colon is missing")
            val value = value(depth)
            if (key in values) throw refusal("a key stands twice")
            values[key] = value
        } while (taken(','))
        if (!taken('}')) throw refusal("an object does not end")
        return values
    }

    private fun arrayAt(depth: Int): List<Any?> {
        requireShallow(depth)
        val values = ArrayList<Any?>()
        at += 1
        if (taken(']')) return values
        do values.add(value(depth)) while (taken(','))
        if (!taken(']')) throw refusal("an array does not end")
        return values
    }

    private fun requireShallow(depth: Int) {
        if (depth > deepest) throw refusal("nested too deep")
    }

    private fun string(): String {
        val out = StringBuilder()
        at += 1
        while (true) {
            if (at == text.length) throw refusal("a string does not end")
            val char = text[at++]
            when {
                char == '"' -> return out.toString().also(::requirePairs)
                char < ' ' -> throw refusal("a control character in a string")
                char == '\\' -> out.append(escaped())
                else -> out.append(char)
            }
        }
    }

    private fun escaped(): Char {
        if (at == text.length) throw refusal("a string does not end")
        return when (val char = text[at++]) {
            '"', '\\', '/' -> char
            'b' -> '\b'
            'f' -> '\u000C'
            'n' -> '\n'
            'r' -> '\r'
            't' -> '\t'
            'u' -> hexadecimal()
            else -> throw refusal("an unknown escape")
        }
    }

    private fun hexadecimal(): Char {
        var code = 0
        repeat(HEX_DIGITS) {
            val digit = if (at < text.length) HEX.indexOf(text[at++].lowercaseChar()) else -1
            if (digit < 0) throw refusal("an unknown escape")
            code = code * HEX.length + digit
        }
        return code.toChar()
    }

    private fun requirePairs(string: String) {
        var index = 0
        while (index < string.length) {
            val pair = string[index].isHighSurrogate() && index + 1 < string.length && string[index + 1].isLowSurrogate()
            if (!pair && string[index].isSurrogate()) throw refusal("half of a surrogate pair")
            index += if (pair) 2 else 1
        }
    }

    private fun <T> word(word: String, value: T): T {
        if (!text.startsWith(word, at)) throw refusal("an unknown word")
        at += word.length
        return value
    }

    private fun number(): Any {
        val from = at
        if (at < text.length && text[at] == '-') at += 1
        val first = at
        digits()
        if (text[first] == '0' && at > first + 1) throw refusal("a number begins with 0")
        val whole = at
        if (at < text.length && text[at] == '.') {
            at += 1
            digits()
        }
        if (at < text.length && text[at] in "eE") {
            at += 1
            if (at < text.length && text[at] in "+-") at += 1
            digits()
        }
        val written = text.substring(from, at)
        val value = written.toDouble()
        if (value.isInfinite()) throw refusal("a number is too large")
        return if (at == whole) JsonInteger(written.toLongOrNull()) else value
    }

    private fun digits() {
        val from = at
        while (at < text.length && text[at] in '0'..'9') at += 1
        if (at == from) throw refusal("a digit is missing")
    }

    private fun taken(char: Char): Boolean {
        skipSpace()
        val found = at < text.length && text[at] == char
        if (found) at += 1
        return found
    }

    private fun skipSpace() {
        while (at < text.length && text[at] in SPACE) at += 1
    }

    private fun refusal(what: String) = JsonException("$what, at character $at")

    companion object {
        private const val SPACE = " \t\n\r"
        private const val HEX = "0123456789abcdef"
        private const val HEX_DIGITS = 4

        /** Throws [JsonException]. */
        fun parse(text: String, deepest: Int): Any? = StrictJson(text, deepest).whole()

        /** The same of UTF-8. */
        fun parse(bytes: ByteArray, deepest: Int): Any? =
            try {
                parse(Charsets.UTF_8.newDecoder().decode(ByteBuffer.wrap(bytes)).toString(), deepest) // it replaces nothing
            } catch (_: CharacterCodingException) {
                throw JsonException("it is not UTF-8")
            }
    }
}
