import Tensors
import Testing

@testable import Tokenization

@Suite("Tokenizer against the reference")
struct TokenizerGoldenTests {
  struct Golden: Decodable {
    let vocabSize: Int
    let items: [Item]

    enum CodingKeys: String, CodingKey {
      case items
      case vocabSize = "vocab_size"
    }

    struct Item: Decodable {
      let text: String
      let ids: [TokenID]
      let idsWithSpecial: [TokenID]
      let detokenized: String

      /// What the tokens print. llama.cpp's detokenizer of whole texts takes a blank away in front of an apostrophe, for
      /// some kinds; its tokens have it, and so has the text.
      var tokensText: String { text.contains("\" '") ? text : detokenized }

      enum CodingKeys: String, CodingKey {
        case text, ids
        case idsWithSpecial = "ids_with_special"
        case detokenized = "llama_cpp_detokenized"
      }
    }
  }

  struct DemoGolden: Decodable {
    let prompts: [Prompt]

    struct Prompt: Decodable {
      let prompt: String
      let ids: [TokenID]
      let completion: Completion

      enum CodingKeys: String, CodingKey {
        case prompt, ids
        case completion = "llama_cpp_F16"
      }
    }

    struct Completion: Decodable {
      let ids: [TokenID]
      let text: String
    }
  }

  @Test("every text of a golden gives the reference's ids, and the ids its text", arguments: Fixtures.kinds)
  func texts(kind: String) throws {
    let golden = try Fixtures.decode(Golden.self, "Tests/Fixtures/tokenizers/\(kind)/golden.json")
    let tokenizer = try Fixtures.kind(kind)
    #expect(golden.items.count == (kind == "spm" ? 42 : 47))
    #expect(tokenizer.vocabularyCount == golden.vocabSize)
    for item in golden.items {
      #expect(tokenizer.encode(item.text, addSpecial: false) == item.ids, "\(item.text)")
      #expect(tokenizer.encode(item.text) == item.idsWithSpecial, "\(item.text)")
      // llama.cpp keeps what is not composed; `==` of strings does not tell the two apart.
      #expect(tokenizer.decode(item.ids, includingControl: true) == item.tokensText)
      var stream = StreamingDetokenizer(tokenizer, includingControl: true, continuing: false)
      let streamed = item.ids.map { stream.append($0) }.joined() + stream.finish()
      #expect(streamed == item.tokensText)
    }
  }

  @Test("a tokenizer says what it is")
  func summaries() throws {
    #expect(try Fixtures.qwen2().summary == "BPE, qwen2, 2048 tokens")
    #expect(try Fixtures.kind("spm").summary == "SentencePiece BPE, 2048 tokens")
  }

  @Test("the demo model's prompts give the ids of its golden, and its completions their text")
  func demoModel() throws {
    let golden = try Fixtures.decode(DemoGolden.self, "cluster/models/fairytales-moe-golden.json")
    let tokenizer = try Fixtures.tokenizer(Fixtures.demoPath)
    #expect(golden.prompts.count == 5)
    for prompt in golden.prompts {
      #expect(tokenizer.encode(prompt.prompt) == prompt.ids)
      #expect(tokenizer.decode(prompt.completion.ids) == prompt.completion.text)
    }
  }

  @Test("roles and flags of the fixtures' files are read")
  func roles() throws {
    let qwen2 = try Fixtures.qwen2()
    #expect(qwen2.bosToken == nil)
    #expect(qwen2.eosToken == 2039)
    #expect(qwen2.eotToken == 2039)
    #expect(qwen2.paddingToken == 2037)
    #expect(qwen2.endOfGeneration == [2037, 2039])
    #expect(!qwen2.addsBOS && !qwen2.addsEOS)
    #expect(qwen2.kind(of: 2038) == .control)
    #expect(qwen2.kind(of: 2040) == .userDefined)
    #expect(qwen2.kind(of: 2047) == .unused)
    #expect(qwen2.kind(of: 2048) == nil)
    let demo = try Fixtures.tokenizer(Fixtures.demoPath)
    #expect(demo.eosToken == 2045)
    #expect(demo.eotToken == 2047)
    #expect(demo.endOfGeneration == [2045, 2047])
  }
}
