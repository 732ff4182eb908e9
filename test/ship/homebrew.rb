# Stands in for Homebrew: evaluates a formula for one system and processor, installs it from an unpacked archive, and
# runs its test. Usage: ruby homebrew.rb <formula> <macos|linux> <arm|intel> [<unpacked archive> <empty folder>]
require "fileutils"
require "json"
require "pathname"

# As Homebrew does, whatever the locale is.
Encoding.default_external = Encoding::UTF_8

class Formula
  class << self
    attr_reader :said, :test_block

    %i[desc homepage version license url sha256].each do |name|
      define_method(name) { |value| (@said ||= {})[name] = value }
    end

    { on_macos: "macos", on_linux: "linux" }.each { |name, system| define_method(name) { |&block| block.call if ARGV[1] == system } }
    { on_arm: "arm", on_intel: "intel" }.each { |name, machine| define_method(name) { |&block| block.call if ARGV[2] == machine } }

    def test(&block) = @test_block = block
  end

  attr_reader :testpath

  def initialize(prefix)
    @prefix = Pathname(prefix)
    @testpath = @prefix/"test"
    @testpath.mkpath
  end

  def version = self.class.said.fetch(:version)

  def bin
    folder = @prefix/"bin"
    folder.define_singleton_method(:install) do |name|
      mkpath
      FileUtils.cp(name, self)
    end
    folder
  end

  def shell_output(command, expected = 0)
    output = `#{command}`
    raise "#{command} exited with #{$?.exitstatus}, not #{expected}" unless $?.exitstatus == expected
    output
  end

  def assert_match(expected, actual)
    raise "#{expected.inspect} is not in #{actual.inspect}" unless actual.match?(Regexp.escape(expected))
  end

  def chmod(mode, path) = FileUtils.chmod(mode, path)
end

# Homebrew takes paths as values of the environment.
module PathsAsValues
  def []=(name, value)
    super(name, value.to_s)
  end
end
ENV.singleton_class.prepend(PathsAsValues)

load ARGV.fetch(0)
puts JSON.generate(ClaudeOtel.said)
if ARGV[3]
  formula = ClaudeOtel.new(ARGV.fetch(4))
  Dir.chdir(ARGV[3]) { formula.install }
  formula.instance_eval(&ClaudeOtel.test_block)
end
