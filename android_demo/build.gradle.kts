import java.util.Properties

plugins {
    alias(libs.plugins.android.application) apply false
    alias(libs.plugins.kotlin.android) apply false
    alias(libs.plugins.kotlin.jvm) apply false
}

// `gradle wrapper` keeps the version and the hash that gradle-wrapper.properties names
tasks.wrapper {
    val pinned = Properties().apply { file("gradle/wrapper/gradle-wrapper.properties").inputStream().use(::load) }
    distributionUrl = pinned.getProperty("distributionUrl")
    distributionSha256Sum = pinned.getProperty("distributionSha256Sum")
}
